// Charts whose options name a unit ("usd", "ms", "count") show their numbers in it; buttons with data-copy copy.
(() => {
  const trimmed = (number, digits) => Number(number.toFixed(digits)).toString();
  const compact = (value) => {
    for (const [size, letter] of [[1e9, "B"], [1e6, "M"], [1e3, "K"]]) {
      if (Math.abs(value) >= size) return trimmed(value / size, 1) + letter;
    }
    return trimmed(value, 2);
  };
  const shown = {
    usd: (value) => (value === 0 ? "$0" : Math.abs(value) >= 1 ? "$" + compact(value) : "$" + trimmed(value, Math.min(9, 2 - Math.floor(Math.log10(Math.abs(value)))))),
    ms: (value) => (Math.abs(value) >= 1000 ? trimmed(value / 1000, 1) + " s" : trimmed(value, 0) + " ms"),
    count: compact,
  };
  const show = (chart, value) => (shown[chart.options.unit] || compact)(value);

  if (window.Chart) {
    Chart.defaults.scales.linear.ticks.callback = function (value) {
      return show(this.chart, value);
    };
    Chart.defaults.plugins.tooltip.callbacks.label = (item) => `${item.dataset.label}: ${show(item.chart, item.parsed.y)}`;
  }

  const copied = async (button) => {
    const source = document.getElementById(button.dataset.copy);
    const before = button.textContent;
    try {
      await navigator.clipboard.writeText(source.textContent);
      button.textContent = "Copied";
    } catch {
      // No clipboard without https: select it, so that it can be copied by hand.
      const range = document.createRange();
      range.selectNodeContents(source);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      button.textContent = "Press Ctrl+C";
    }
    setTimeout(() => (button.textContent = before), 2000);
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) copied(button);
  });
})();
