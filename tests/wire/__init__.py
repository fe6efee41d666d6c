"""A Discord on loopback: what a bot sees of Discord, served by a process of its own.

`python -m tests.wire` serves three things on one address of the loopback interface: Discord's REST routes under
`/api/v10` and its gateway under `/gateway`, which discord.py speaks to unmodified; attachments under `/cdn`; and
`/control`, through which a test acts as people do and asks what happened. It enforces what Discord enforces:
the three seconds to answer, the fifteen minutes of a token, lengths, permissions, who may see what.

    world, payloads, permissions      what exists, and how Discord would write it down
    gateway                           sessions, heartbeats, resuming, events
    rest, rest_*                      the routes, in front of them faults, rate limits and the journal
    limits, form, mentions            what Discord refuses, and whom a message would ping
    interactions, people, commands    what a person does, and how the bot must answer
    control, control_*                the half that only tests see
    driver, exchange, process, views  the tests' side of it; begin at `driver.Wire`
    launch                            starts a bot with discord.py's addresses overridden
"""
