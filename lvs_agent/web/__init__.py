"""What people and machines read over HTTP.  It only reads: the agent's snapshot, and the kernel's statistics.

``document``  the shape of /api/v1/status
``views``     from a snapshot to that document, pure
``states``    the one word for the state of a service and of a server
``why``       why a server is as it is; ``why_checks`` what its checks say, ``why_answer`` /api/v1/why
``page_view`` what the status page shows and in which order, pure
``page``      the status page as HTML
``shown``     all of these for one moment
``kernel``    the kernel's statistics, read once for all requests at the same time
``app``       the endpoints
``serving``   the server of the thread, with its libraries
``server``    socket and thread
"""
