-- The last commit of each writer, by which one whose answer was lost is known again. Only a server has answers to lose.
CREATE TABLE commits (
    writer INTEGER PRIMARY KEY,
    number INTEGER NOT NULL,
    at_s   INTEGER NOT NULL
) STRICT;
