"""What the apps' admin pages share: columns, read-only pages, lists nobody counts, forms that call services."""
