"""Many pictures: which goes where, what is done already, and how reading, translating and writing overlap."""
