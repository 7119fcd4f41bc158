"""The frozen types that the parts of the program speak in, and nothing else: no I/O, no clock, no decision.

``ipvs``        what the kernel has: services, destinations, the table, operations on it (``keys`` reads its keys back)
``outline``     as much of a table as is needed to notice a change
``statistics``  what the kernel counts
``check``       what a check is and what one run of it can say (``http_status``: the registered phrases)
``intent``      what the operator wants: virtual services, real servers, sorry servers
``event``       what happened, and a question about it
"""
