"""Serving: classifiers behind a small HTTP interface and one web page.

Nothing here knows PyTorch; a run or an ensemble is exported first.

    run.py        opens what is to be served, listens, and leaves when it is told to, all accepted requests answered
    opening.py    a run, an ensemble or an ONNX file as a session of ONNX Runtime
    app.py        the routes
    replies.py    what the routes answer, for people who read the OpenAPI page
    page.py       the page and the pictures to try
    guard.py      before and around every route: host names, headers, counts
    body.py       what is sent, read with a limit and a deadline
    memory.py     how much of it is kept at once
    desk.py       the threads that work, and the queue before them
    looking.py    pictures to answers, and which places of a picture they rest on
    counts.py     what /metrics tells
    protocol.py   deadlines for clients who are slow before their request is known
    limits.py     every number that bounds a stranger
    refusal.py    a request that is not answered, and why
"""
