"""The canary: proof that nobody is sent what they must not see.

Unmistakable strings are planted all over a campaign, an oracle that shares no code with the server
says who may see which of them and when, and everything a server sends is searched for them.
"""
