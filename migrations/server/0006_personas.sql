-- Personas: how somebody's memories answer, who asked them what, and who may not.

CREATE TABLE personas (
    id           uuid PRIMARY KEY,
    user_id      uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name         text NOT NULL,
    description  text NOT NULL,
    -- Sealed with the person's key: only they see it.
    instructions text NOT NULL,
    -- Memories with one of these tags; all if there is none.
    tags         text[] NOT NULL,
    model        text,
    temperature  real,
    top_n        integer NOT NULL CHECK (top_n BETWEEN 1 AND 50),
    is_public    boolean NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX personas_user ON personas (user_id, created_at DESC, id DESC);
CREATE INDEX personas_public ON personas (created_at DESC, id DESC) WHERE is_public;

-- People whose questions the owner does not answer.
CREATE TABLE persona_blocks (
    user_id    uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    asker_id   uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, asker_id)
);

-- How many answers a day somebody's memories give to others; no row: any number.
CREATE TABLE persona_limits (
    user_id       uuid PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    answers_a_day integer NOT NULL CHECK (answers_a_day BETWEEN 0 AND 1000000)
);

-- What was asked, of whom, by whom, and what it cost.
CREATE TABLE persona_questions (
    id            uuid PRIMARY KEY,
    -- Whose memories answered.
    user_id       uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- NULL: their default persona.
    persona_id    uuid,
    -- Who has gone has asked nothing.
    asker_id      uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    client_id     uuid NOT NULL,
    asked_at      timestamptz NOT NULL DEFAULT now(),
    -- Sealed with the owner's key; NULL where the deployment keeps no questions.
    question      text,
    mode          text NOT NULL,
    model         text NOT NULL,
    memory_ids    uuid[] NOT NULL,
    input_tokens  integer NOT NULL,
    output_tokens integer NOT NULL
);
CREATE INDEX persona_questions_user ON persona_questions (user_id, asked_at DESC, id DESC);
CREATE INDEX persona_questions_asker ON persona_questions (asker_id, asked_at);
CREATE INDEX persona_questions_asked ON persona_questions (asked_at);
