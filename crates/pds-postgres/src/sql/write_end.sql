-- The end of a write: the new numbers, and how many blocks were new.
SELECT change, sweep, (SELECT count(*) FROM stored) FROM moved
