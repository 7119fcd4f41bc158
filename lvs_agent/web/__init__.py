"""What people and machines read over HTTP.  It only reads: the agent's snapshot, and the kernel's statistics.

``document``  the shape of /api/v1/status
``views``     from a snapshot to answers, pure
``page``      the status page as HTML
``kernel``    the kernel's statistics, read once for everybody who asks at the same time
``app``       the endpoints
``serving``   the server of the thread, with its libraries
``server``    socket and thread
"""
