"""A loopback Discord: the REST API, the gateway and the CDN that discord.py uses, on one address of 127.0.0.1.

discord.py runs unmodified against it; only its addresses are overridden (`launch`). REST is under `/api/v10`, the
gateway under `/gateway`, attachments under `/cdn`. Through `/control` a test acts as people do, reads what happened
and injects faults. Enforced are Discord's limits: three seconds to respond, fifteen minutes for a token, lengths,
permissions, rate limits, and which messages a bot may read.

Server:
    server                      all routes behind the journal, faults, the token check and rate limits
    world, seeds, state         what exists, what exists at the start, and the server's state and settings
    payloads, permissions       the JSON of every object; permission bits and how they combine
    access                      permission checks of the routes
    rest, interactions          the routes: channels, messages, threads, commands; callbacks and follow-ups
    messages, limits, errors    create, edit and delete messages; what Discord refuses; error responses
    gateway                     sessions, heartbeats, resume, events
    rates, faults               rate limits; injected errors, delays and holds
    people, control             what a person can do; the `/control` actions
Tests:
    driver, exchange, process   the client (`driver.Wire`), what an action returns, a bot as a process
    launch                      starts a bot with discord.py's addresses overridden
    tiny_bot                    the bot that the tests of this package use
"""
