"""The frozen types that the parts of the program speak in, and nothing else: no I/O, no clock, no decision.

``ipvs``    what the kernel has: services, destinations, the table, operations on it, statistics
``check``   what a check is and what one run of it can say
``intent``  what the operator wants: virtual services, real servers, sorry servers
"""
