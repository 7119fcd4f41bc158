"""What every reader sees: services and servers, their conditions, the words for them, and why they are as they are.

Pure: no I/O, no clock, no library.  Page, API, commands and metrics take from here what they show, so they agree.

``series_index``     every service and server with its name and labels, kept from scrape to scrape
``columns``          the column store: intent, snapshot and kernel joined, for the metrics
``inventory``        the same as one object for each service and server
``words``            the words for states and flags
``why``, ``why_checks``   why a server has the weight that it has, in sentences
``lookup``           which service or server a name means
``event_sentence``   an event as a sentence
``spans``            times, counts and rates as people read them
"""
