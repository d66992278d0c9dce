"""The sync protocol as state machines: messages in, effects out, no I/O.

`session` is the server's end of a connection, `replica` the client's; `feed` is what a session
serves from. The two ends are tested joined in memory over a link that loses messages.
"""
