"""OpenAI's prices, written down by hand: what the gateway's price table is checked against. Nano-dollars a token."""

GPT_35_TURBO = (500, 1500)
GPT_4 = (30_000, 60_000)
GPT_4O_MINI = (150, 600)
"""(input, output)"""
