"""The page and the HTTP API: strangers' pictures in; translations, hits and the state of trainings out.

The server keeps nothing that it receives. No request can name a file on this machine, or take more time, memory or disk
space than `Limits` allows. [docs/serve.md] explains how to run it.
"""
