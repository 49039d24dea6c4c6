"""The tests of the page. They are a package, so that the browser closes when they end."""
