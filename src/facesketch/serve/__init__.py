"""The page and the HTTP API: strangers' pictures in, translations, hits and the state of trainings out.

Nothing that is sent is kept, nothing that lies on this machine can be named in a request, and no request can take more
time, memory or room than `Limits` says. [docs/serve.md] tells how it is run.
"""
