use std::sync::Mutex;
use std::time::UNIX_EPOCH;

use super::*;
use crate::limits::MAX_WAIT;

/// A clock that advances when it is asked to wait.
#[derive(Debug)]
struct FakeClock(Mutex<SystemTime>);

impl Clock for FakeClock {
    fn now(&self) -> SystemTime {
        *self.0.lock().unwrap()
    }

    fn sleep(&self, time: Duration) {
        *self.0.lock().unwrap() += time;
    }

    fn random(&self) -> u32 {
        0
    }
}

/// A gate, the host of these tests, and the time at which they begin.
fn gate() -> (Gate, Host, SystemTime) {
    let start = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let clock = Arc::new(FakeClock(Mutex::new(start)));
    (Gate::new(MAX_WAIT, clock), "https://a.com".parse().unwrap(), start)
}

fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

/// Enters the gate, and returns the seconds since the start.
fn enter(gate: &Gate, host: &Host, start: SystemTime) -> u64 {
    gate.enter(host, None).unwrap();
    gate.clock().now().duration_since(start).unwrap().as_secs()
}

#[test]
fn a_host_says_when_to_come_back() {
    let (gate, host, start) = gate();
    assert_eq!(enter(&gate, &host, start), 0);
    let retry_at = Some(start + seconds(7));
    gate.note(&host, Advice { retry_at, ..Advice::default() });
    gate.note(&host, Advice { retry_at: Some(start + seconds(3)), ..Advice::default() });
    assert_eq!(gate.not_before(&host), retry_at);
    let other: Host = "https://b.com".parse().unwrap();
    assert_eq!(enter(&gate, &other, start), 0);
    assert_eq!(enter(&gate, &host, start), 7);
    assert_eq!(enter(&gate, &host, start), 7);
    assert_eq!(gate.not_before(&host), None);
}

#[test]
fn a_wait_above_the_bound_is_refused() {
    let (gate, host, start) = gate();
    gate.note(&host, Advice { retry_at: Some(start + MAX_WAIT), ..Advice::default() });
    assert_eq!(enter(&gate, &host, start), MAX_WAIT.as_secs());
    let until = start + MAX_WAIT * 2 + seconds(1);
    gate.note(&host, Advice { retry_at: Some(until), ..Advice::default() });
    let error = gate.enter(&host, None).unwrap_err();
    assert!(matches!(&error, Error::RateLimited { until: found, .. } if *found == until));
    assert_eq!(gate.clock().now(), start + MAX_WAIT, "no wait");
    assert!(error.to_string().contains("limits requests until 2027-01-15T08:30:01"), "{error}");
}

#[test]
fn the_last_requests_are_spread() {
    let (gate, host, start) = gate();
    let reset_at = Some(start + seconds(160));
    gate.note(&host, Advice { remaining: Some(16), reset_at, retry_at: None });
    assert_eq!(enter(&gate, &host, start), 0, "16 are many");
    let times: Vec<u64> = (0..15).map(|_| enter(&gate, &host, start)).collect();
    let is_even = times.windows(2).all(|pair| (9..=12).contains(&(pair[1] - pair[0])));
    assert!(is_even, "{times:?}");
    assert!(times.iter().all(|time| *time <= 160), "{times:?}");
    assert_eq!(enter(&gate, &host, start), 160, "none remain before the reset");
    assert_eq!(enter(&gate, &host, start), 160, "the host is asked again");
}

#[test]
fn the_first_of_few_requests_is_free() {
    let (gate, host, start) = gate();
    let reset_at = Some(start + seconds(86_400));
    gate.note(&host, Advice { remaining: Some(3), reset_at, retry_at: None });
    assert_eq!(enter(&gate, &host, start), 0);
    assert!(matches!(gate.enter(&host, None), Err(Error::RateLimited { .. })));
}

#[test]
fn the_caller_sees_the_wait_and_stops_it() {
    let (gate, host, start) = gate();
    let until = start + seconds(60);
    gate.note(&host, Advice { retry_at: Some(until), ..Advice::default() });
    let seen = Mutex::new(0);
    let report = |progress: Progress| {
        let Progress::Waiting { until: shown, why, .. } = progress else { unreachable!() };
        assert_eq!((shown, why), (until, Why::RateLimited));
        *seen.lock().unwrap() += 1;
        if *seen.lock().unwrap() == 4 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    assert!(matches!(gate.enter(&host, Some(&report)), Err(Error::Stopped)));
    assert_eq!(gate.clock().now(), start + seconds(3));
}
