"""The verbs of `facesketch search`, one file each."""

import cyclopts

from facesketch.cli.search import evaluate, fit, index, info, query

app = cyclopts.App(name="search", help="Find a person in a gallery of photos from a sketch.")
app.command(index.index)
app.command(query.query)
app.command(info.info)
app.command(evaluate.evaluate)
app.command(fit.fit)
