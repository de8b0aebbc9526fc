//! Frames of event streams: what is decoded encodes to a frame that says the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pds::mst::get;
use pds::sync::{Event, Frame, check_commit, check_sync};

fuzz_target!(|bytes: &[u8]| {
    let frame = match Frame::decode(bytes) {
        Ok(frame) => frame,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    assert_eq!(Frame::decode(&frame.encode()).expect("it was encoded"), frame);
    match &frame {
        Frame::Event(Event::Commit(event)) => {
            let Ok(checked) = check_commit(event, None) else { return };
            assert_eq!(checked.commit.did(), &event.repo);
            for op in &event.ops {
                let found = get(&checked.blocks, checked.commit.data(), &op.path.to_key());
                assert_eq!(found.expect("the inversion has read these nodes"), op.cid);
            }
        }
        Frame::Event(Event::Sync(event)) => {
            let Ok(commit) = check_sync(event, None) else { return };
            assert_eq!((commit.did(), commit.rev()), (&event.did, Some(event.rev)));
        }
        _ => {}
    }
});
