"""Proofs out of the access log, as they are sent."""

from __future__ import annotations

from marshmallow import fields

from wallet_api.routes.schemas.base import Digits, ReplySchema, StrictSchema

_HASH = {"description": "32 bytes, base64"}


class ProofQuery(StrictSchema):
    """What else the proof is to show."""

    since = Digits(
        1,
        2**53 - 1,
        load_default=None,
        metadata={"description": "a tree size seen earlier: prove too that the log was only added to"},
    )


class ConsistencySchema(ReplySchema):
    """That the log only grew (RFC 6962, section 2.1.2)."""

    old_size = fields.Integer(metadata={"description": "the tree size that was asked about"})
    old_root = fields.String(metadata={"description": "the root the log had then: 32 bytes, base64"})
    path = fields.List(fields.String(metadata=_HASH))


class LogProofSchema(ReplySchema):
    """That an entry is in the log (RFC 6962, section 2.1.1), for the stand-alone verifier."""

    format = fields.String(metadata={"description": "health-wallet-log-proof-1"})
    log_id = fields.String(metadata={"description": "which log; each process of the wallet writes its own"})
    leaf_index = fields.Integer(metadata={"description": "the entry's place in its log, from 0"})
    tree_size = fields.Integer(metadata={"description": "how many entries the checkpoint covers"})
    event = fields.Dict(
        keys=fields.String(),
        metadata={"description": "the entry as it is stored; its RFC 8785 form is what the leaf is made of"},
    )
    leaf_hash = fields.String(metadata={"description": "SHA-256 of 0x00 and the event: 32 bytes, base64"})
    audit_path = fields.List(fields.String(metadata=_HASH), metadata={"description": "from the leaf up"})
    checkpoint = fields.String(
        metadata={"description": "the signed root, a C2SP tlog-checkpoint; keys: checkpoint-jwks.json"}
    )
    consistency = fields.Nested(
        ConsistencySchema,
        metadata={"description": "only with `since`", "absent": "it was not asked for"},
    )
