//! Random operation logs, compared with a second formulation of the rules.

use pds::crypto::{Curve, SigningKey};
use pds::identity::{IdentityError, PlcLog};
use proptest::prelude::*;

use super::plc::{Directory, HOUR, START, tombstone, update};
use super::{keys, nullified};

/// An operation of a random log: its predecessor, its signer, and the time since the previous operation.
#[derive(Clone, Debug)]
struct Step {
    prev: prop::sample::Index,
    signer: usize,
    hours: u64,
    is_end: bool,
}

fn any_step() -> impl Strategy<Value = Step> {
    let hours = prop::sample::select(vec![0, 1, 24, 48, 73]);
    let is_end = prop::bool::weighted(0.1);
    (any::<prop::sample::Index>(), 0..3_usize, hours, is_end)
        .prop_map(|(prev, signer, hours, is_end)| Step { prev, signer, hours, is_end })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// The second formulation asks about the tree of operations instead of a chain. An operation is nullified by a
    /// later sibling of itself or of one of its predecessors.
    #[test]
    fn random_logs_are_judged_by_the_rules(steps in prop::collection::vec(any_step(), 0..7)) {
        let rotation: [SigningKey; 3] = keys();
        let [a, b, c] = &rotation;
        let signing = |n: usize| {
            SigningKey::from_bytes(Curve::K256, &[u8::try_from(50 + n).unwrap(); 32]).unwrap()
        };
        let mut log = Directory::default();
        let mut cids = vec![log.take(update(&[a, b, c], &signing(0), None), c, START)];
        let (mut parents, mut signers, mut times) = (vec![usize::MAX], vec![2], vec![START]);
        let mut ends = vec![false];
        let mut undone = vec![false];
        let mut wrong = None;
        for (n, step) in steps.iter().enumerate() {
            // Most predecessors are near the end, as in real logs.
            let near = cids.len().saturating_sub(3);
            let parent = near + step.prev.index(cids.len() - near);
            let time = times[n] + step.hours * HOUR;
            let operation = match step.is_end {
                true => tombstone(cids[parent]),
                false => update(&[a, b, c], &signing(n + 1), Some(cids[parent])),
            };
            let cid = log.take(operation, &rotation[step.signer], time);
            let siblings: Vec<usize> =
                (0..=n).filter(|at| parents[*at] == parent && !undone[*at]).collect();
            let may = !undone[parent]
                && !ends[parent]
                && siblings.iter().all(|at| {
                    step.signer < signers[*at] && time - times[*at] <= 72 * HOUR
                });
            if !may {
                wrong = Some(n + 1);
                break;
            }
            for (at, is_undone) in undone.iter_mut().enumerate() {
                let mut of = at;
                while of != usize::MAX && !siblings.contains(&of) {
                    of = parents[of];
                }
                if of != usize::MAX {
                    *is_undone = true;
                    log.nullify(at);
                }
            }
            cids.push(cid);
            parents.push(parent);
            signers.push(step.signer);
            times.push(time);
            ends.push(step.is_end);
            undone.push(false);
        }
        match (PlcLog::parse(&log.json()), wrong) {
            (Ok(parsed), None) => {
                prop_assert_eq!(nullified(&parsed), undone.clone());
                let history = parsed.key_history();
                for at in 0..cids.len() {
                    // This is the last operation in force that is not later than the time.
                    let last = (0..cids.len()).rfind(|n| !undone[*n] && times[*n] <= times[at]);
                    let key = last.filter(|n| !ends[*n]).map(|n| signing(n).public_key());
                    let found = history.at(times[at]).and_then(|period| period.key.clone());
                    prop_assert_eq!(found, key);
                }
            }
            (Err(IdentityError::Operation { index, .. }), Some(wrong)) => {
                prop_assert_eq!(index, wrong);
            }
            (found, wrong) => prop_assert!(false, "{found:?}, expected {wrong:?}"),
        }
    }
}
