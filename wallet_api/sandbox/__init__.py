"""The sandbox: the one place that pretends to be somebody else, for demonstrations on one machine.

`vneid` plays the identity provider, `push` plays Firebase Cloud Messaging. Each is its own process, says
so in every answer (`Wallet-Sandbox: true`) and starts only where `conditions.refusal` finds no reason not to.
"""
