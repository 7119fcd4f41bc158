"""Every decision of the program, as pure functions: no clock, no socket, no log, no await.

``health``         results of a check to its state, and the checks of a real server to its health
``share``          how much of its weight a real server is to have
``pool``           states of real servers to what each destination should be, and why
``desired``        the pools as a table
``reconcile``      two tables to the operations between them, and to what others have changed
``decide``         one round's decision: the pools and the desired table in one step
``condition``      the quorum and the sorry server of a service, and the events of both
``tally``          what a change of health adds to the status of a real server
``snapshot``       what readers see, frozen
``maintenance``    which real servers the files in the maintenance directory name
``sorry_command``  what a sorry command is called with
``describe``       operations as the log, ``plan`` and the API have them
``events``, ``event_line``, ``instant``   which events a question asks for; events and instants as text, and back
"""
