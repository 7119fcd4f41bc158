"""What people and machines read over HTTP.  It only reads: the agent's snapshot, and the kernel's statistics.

``server``      socket and thread
``serving``     the server of the thread, with its libraries
``guard``       passwords before the endpoints (``passwords``)
``security``    what the ``web_config`` file says now, and its ``tls`` context
``app``         the endpoints
``scrape``      /metrics
``shown``       status, page and ``why`` for one moment
``status``      from a snapshot to the status document, whose shape is in ``document``; pure
``page``        the status page as HTML; ``page_view`` what it shows and in which order, pure; ``page_files`` its style
                and its script
``why_answer``  the answer of /api/v1/why
``events``      the answer of /api/v1/events
``kernel``      the kernel's statistics, read once for all requests at the same time
``sources``     where all the rest comes from
``packing``     compression
"""
