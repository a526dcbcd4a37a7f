-- The last commit of each writer, by which one whose answer was lost is known again. Only a server has answers to lose.
CREATE TABLE commits (
    writer BIGINT PRIMARY KEY,
    number BIGINT NOT NULL,
    at_s   BIGINT NOT NULL
);
