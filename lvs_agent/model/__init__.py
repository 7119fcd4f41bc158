"""The frozen types that all parts of the program share, and nothing else: no I/O, no clock, no decision.

``ipvs``        the rows of the kernel: services, destinations, the table, operations on it (``keys`` parses keys)
``outline``     the part of a table that is needed to notice a change
``statistics``  the kernel's counters
``check``       a check and the results of its probes (``http_status``: the registered phrases)
``intent``      the operator's configuration: virtual services, real servers, sorry servers
``event``       an entry of the event journal, and a query for entries
"""
