"""What the gateway costs, beside a bare pass-through that carries the same requests in the same run.

Per server (uvicorn, Daphne) three processes stand side by side: the bare pass-through, the gateway with its counters in
memory, the gateway with Redis. Short rounds of closed-loop load go to each in turn, and the medians of the rounds are
compared: noise of the machine meets all three alike. CPU is user and system time of the serving process, all its
threads, over the requests it answered. Latency is taken at a fixed rate, far from saturation, from the moment a request
is sent, and compared with the same requests sent straight to the upstream.
"""
