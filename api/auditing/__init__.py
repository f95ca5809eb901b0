"""`qazyna audit`: a ledger judged from outside, over HTTP, with a memory of what it has shown."""
