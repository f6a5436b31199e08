"""How Syncline reaches sources: sessions whose layers guard, limit, retry and pace requests.

Importing this package is cheap; the modules beneath import their libraries.

    http.py         the session: one request through all layers, redirects hop by hop
    guard.py        which addresses may be connected to at all
    resolver.py     names to addresses, checked and pinned to the connection
    limits.py       bytes, ratios, times and rates that nothing may exceed
    retry.py        what is tried again, how often, and after how long
    politeness.py   how many requests a host gets, and how fast
    classify.py     what a status or an exception means
"""
