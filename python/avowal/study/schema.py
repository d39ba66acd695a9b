"""The schema: the tables of a study's database."""

from __future__ import annotations

__all__ = ["SCHEMA", "VERSION"]

VERSION = 1
"""Of the database's tables; a later one is refused rather than misread."""

SCHEMA = """
create table facts (name text primary key, value text not null) strict;
create table stages (
    name text primary key,
    place integer not null,      -- in the study's order
    state text not null,         -- 'running', 'finished' or 'stopped'
    began real not null,
    ended real,
    error text                   -- why it stopped
) strict;
create table requests (
    key text primary key,        -- a hash of endpoint, body and replicate
    stage text not null,         -- the first stage that asked it
    base text not null,          -- the base model, which has the price
    body text not null,          -- as sent, JSON; the model is the one that is asked
    replicate integer not null,  -- requests of one body are told apart by it
    tokens integer not null,     -- expected, of prompt and reply together
    reply_tokens integer not null,  -- expected, of the reply alone
    state text not null,         -- 'planned', 'sent', 'answered' or 'failed'
    unsure integer not null default 0,  -- how often it was under way when the process died: possibly paid twice
    batch text                   -- the batch that it is in
) strict;
create table asks (
    stage text not null,
    context text not null,
    trial integer not null,
    key text not null,
    primary key (stage, context, trial)
) strict, without rowid;
create table replies (
    id integer primary key,
    key text not null,
    at real not null,
    batch text,                  -- null where it came by itself
    seconds real,                -- from the first try to the last byte
    status integer,              -- of HTTP; null where none came
    retries text not null,       -- JSON list: the kinds of the failures before
    failure text,                -- the kind of the last failure; null beside a body of success
    body text not null,          -- raw and whole; of a failure, the provider's message
    prompt_tokens integer,       -- as billed
    completion_tokens integer
) strict;
create index replies_by_key on replies (key);
create table jobs (
    id text primary key,         -- the provider's
    stage text not null,
    digest text not null,        -- of everything that decides what is trained
    attempt integer not null,
    file text not null,          -- the provider's name of the training file
    state text not null,         -- the provider's: 'queued', 'running', 'succeeded', 'failed', 'cancelled', ...
    body text not null,          -- as last seen, JSON
    tuned text,                  -- the tuned model's name
    tokens integer               -- trained, as billed
) strict;
create table job_events (job text not null, id text not null, kind text not null, body text not null,
    primary key (job, kind, id)) strict, without rowid;
create table batches (
    id text primary key,         -- the provider's
    stage text not null,
    digest text not null,        -- of the requests in it, and of the attempt
    attempt integer not null,
    requests integer not null,
    state text not null,         -- the provider's: 'validating', 'in_progress', 'completed', 'expired', ...
    read integer not null default 0,  -- whether its replies are in `replies`
    body text not null           -- as last seen, JSON
) strict;
"""
"""Its statements."""
