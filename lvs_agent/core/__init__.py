"""Every decision of the program, as pure functions: no clock, no socket, no log, no await.

``health``         the state of a check from its results, and the health of a real server from its checks
``share``          the percent of its weight that a real server gets
``pool``           the row of each real server from its health, and the reason
``desired``        the desired table from the pools
``reconcile``      the operations between two tables, and what others have changed
``decide``         one round's decision: the pools and the desired table in one step
``condition``      the quorum and the sorry server of a service, and the events of both
``tally``          the status of a real server after a change of health
``snapshot``       the frozen types that readers get
``maintenance``    the real servers that the files in the maintenance directory name
``sorry_command``  the arguments and the outcomes of a sorry command
``describe``       operations in the form of the log, ``plan`` and the API
``events``, ``event_line``, ``instant``   the events that a query selects; events and times as text, and back
"""
