//! Trees: known roots, heights, prefixes, diffs, operation batches and proofs.
