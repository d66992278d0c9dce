"""The orchestrator's side: whole documents in, commits out, in order, each exactly once.

port         what it asks of a server; `http` over the network, `server.embedding` in process
work         one thing to do, as the application asked for it
branch       what the application and the log each hold of a campaign; the next commit
broadcaster  the queue, and the one that works it off
turns        a piece of play as a context: read, narrate, commit, remembered by its id
hooks        two decorators for orchestrators built on the earlier design
"""
