//! The machine: whether there is a network, what it runs on, and whether it has just woken up.
//!
//! Read into [`MachineFacts`], which [`crate::schedule`] takes as an argument. Promise: what is not known is said to be
//! not known, and nothing here waits for long or fails. Linux says all of it,
//! macOS and Windows what feeds it; other systems only the clock.

#[cfg(any(target_os = "macos", windows))]
mod battery;
#[cfg(target_os = "linux")]
mod bus;
pub mod drive;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod mock;
#[cfg(target_os = "linux")]
mod network;
#[cfg(target_os = "linux")]
mod power;
pub(crate) mod sleep;

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

/// By how much the clocks may part between two readings without a sleep being suspected.
const SLACK: SignedDuration = SignedDuration::from_secs(60);
/// Readings further apart than this are a sleep: they are a minute apart otherwise. Also how far back a clock may be set.
const GAP: SignedDuration = SignedDuration::from_mins(5);
/// How long what was known of the network before a sleep is no proof that it is there again.
#[cfg(target_os = "linux")]
const SETTLES: Duration = Duration::from_secs(10);
/// How long a machine that is about to sleep is believed to be: logind waits for programs for seconds.
const DOZES: Duration = Duration::from_secs(120);

/// What the machine was like at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MachineFacts {
    /// Whether there is a network.
    pub network: Network,
    /// Whether it runs on battery.
    pub on_battery: Option<bool>,
    /// How full the battery is, in percent.
    pub battery: Option<u8>,
    /// Whether the connection is paid by volume.
    pub metered: Option<bool>,
    /// Since when it has been awake and its clock has run evenly: start, last wake, or last time the clock was set.
    pub awake_since: Timestamp,
    /// Whether it is about to sleep.
    pub dozes: bool,
}

impl MachineFacts {
    /// Whether what can wait should wait: on battery or a metered connection.
    pub fn spares(&self) -> bool {
        self.on_battery == Some(true) || self.metered == Some(true)
    }
}

/// Whether there is a network to reach hosts by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// There is a way out.
    Up,
    /// There is none.
    Down,
    /// The system does not say.
    Unknown,
}

/// How the clocks moved between two readings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leap {
    /// Evenly.
    None,
    /// The machine slept, or stood still, or its clock was set forward, by about this much.
    Slept(Duration),
    /// Its clock was set back by about this much.
    Back(Duration),
}

/// Tells a sleep, or a clock that was set, from the way two clocks moved between two readings.
///
/// The monotonic clock stops while the machine sleeps (Linux, macOS), the wall clock does not. Where it goes on
/// (Windows), the gap between two readings tells: they are at most a minute apart.
pub fn slept(wall: SignedDuration, monotonic: Duration) -> Leap {
    let monotonic = SignedDuration::try_from(monotonic).unwrap_or(SignedDuration::MAX);
    let ahead = wall.saturating_sub(monotonic);
    if ahead < -GAP {
        Leap::Back(ahead.unsigned_abs())
    } else if ahead > SLACK {
        Leap::Slept(wall.unsigned_abs())
    } else if monotonic > GAP {
        Leap::Slept(monotonic.unsigned_abs())
    } else {
        Leap::None
    }
}

/// The machine, read again and again by one engine.
#[derive(Debug)]
pub struct Machine {
    started: Instant,
    last: (Timestamp, Duration),
    awake_since: Timestamp,
    /// When it said that it is about to sleep.
    dozes_since: Option<Instant>,
    /// When it woke up last.
    #[cfg(target_os = "linux")]
    woke: Option<Instant>,
    /// Everything asked is on this computer: the network counts as up.
    loopback: bool,
    #[cfg(target_os = "linux")]
    bus: bus::Bus,
}

impl Machine {
    /// A machine that has been awake since `now`. With `loopback` everything asked is on it: the network counts as up.
    pub fn new(now: Timestamp, loopback: bool) -> Self {
        Self {
            started: Instant::now(),
            last: (now, Duration::ZERO),
            awake_since: now,
            dozes_since: None,
            #[cfg(target_os = "linux")]
            woke: None,
            loopback,
            #[cfg(target_os = "linux")]
            bus: bus::Bus::default(),
        }
    }

    /// Reads the machine. Reads a few small files; waits a second at most. Call it on the blocking pool, once a tick.
    pub fn read(&mut self, now: Timestamp) -> MachineFacts {
        let leap = self.beat(now, self.started.elapsed());
        if leap != Leap::None {
            tracing::info!(?leap, "the clock did not run evenly");
            self.forget();
        }
        if matches!(leap, Leap::Slept(_)) {
            self.wakes(now);
        }
        self.facts()
    }

    /// Takes the system's word that it is about to sleep (`soon`), or is awake again.
    pub fn sleeps(&mut self, soon: bool, now: Timestamp) {
        match soon {
            true => self.dozes_since = Some(Instant::now()),
            false => self.wakes(now),
        }
    }

    fn wakes(&mut self, now: Timestamp) {
        self.dozes_since = None;
        self.awake_since = now;
        #[cfg(target_os = "linux")]
        {
            self.woke = Some(Instant::now());
        }
        self.forget();
    }

    /// What was said before a sleep holds no longer.
    fn forget(&mut self) {
        #[cfg(target_os = "linux")]
        self.bus.forget();
    }

    fn dozes(&self) -> bool {
        self.dozes_since.is_some_and(|since| since.elapsed() < DOZES)
    }

    #[cfg(target_os = "linux")]
    fn facts(&mut self) -> MachineFacts {
        let now = Instant::now();
        let (link, supply) = (self.bus.link(now), self.bus.supply(now));
        let supplies = std::path::Path::new("/sys/class/power_supply");
        MachineFacts {
            network: match self.loopback {
                true => Network::Up,
                false => after_sleep(
                    link.network,
                    both(link.network, network::read()),
                    self.woke.map(|woke| now.saturating_duration_since(woke)),
                ),
            },
            on_battery: supply.on_battery.or_else(|| power::on_battery(supplies)),
            battery: supply.level.or_else(|| power::level(supplies)),
            metered: link.metered.filter(|_| !self.loopback),
            awake_since: self.awake_since,
            dozes: self.dozes(),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn facts(&mut self) -> MachineFacts {
        #[cfg(any(target_os = "macos", windows))]
        let (on_battery, battery) = battery::supply();
        #[cfg(not(any(target_os = "macos", windows)))]
        let (on_battery, battery) = (None, None);
        MachineFacts {
            network: if self.loopback { Network::Up } else { Network::Unknown },
            on_battery,
            battery,
            metered: None,
            awake_since: self.awake_since,
            dozes: self.dozes(),
        }
    }

    /// Takes a reading of both clocks.
    fn beat(&mut self, now: Timestamp, monotonic: Duration) -> Leap {
        let (last, last_monotonic) = self.last;
        let leap = slept(now.duration_since(last), monotonic.saturating_sub(last_monotonic));
        self.last = (now, monotonic);
        if leap != Leap::None {
            self.awake_since = now;
        }
        leap
    }
}

/// What NetworkManager and the routes say together. Where it manages none of the connections, the routes know better.
#[cfg(target_os = "linux")]
fn both(manager: Option<Network>, routes: Network) -> Network {
    match (manager, routes) {
        (None, routes) => routes,
        (Some(Network::Down), Network::Up) => Network::Unknown,
        (Some(said), _) => said,
    }
}

/// The same, so long after waking up: routes that were there before the sleep lead nowhere until the machine has joined its
/// network again. NetworkManager knows of the sleep, and is believed at once.
#[cfg(target_os = "linux")]
fn after_sleep(manager: Option<Network>, network: Network, awake: Option<Duration>) -> Network {
    match awake {
        Some(awake) if awake < SETTLES && manager != Some(Network::Up) => Network::Down,
        _ => network,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_is_told_by_the_clocks() {
        let check = |wall: i64, monotonic: u64, expected: Leap| {
            let leap = slept(SignedDuration::from_secs(wall), Duration::from_secs(monotonic));
            assert_eq!(leap, expected, "wall {wall} s, monotonic {monotonic} s");
        };
        let (slept, back) = (
            |s| Leap::Slept(Duration::from_secs(s)),
            |s| Leap::Back(Duration::from_secs(s)),
        );
        check(0, 0, Leap::None);
        check(60, 60, Leap::None);
        check(120, 60, Leap::None);
        check(121, 60, slept(121));
        check(8 * 3600, 45, slept(8 * 3600));
        // Stopped and continued, or a system whose monotonic clock goes on in its sleep.
        check(300, 300, Leap::None);
        check(3 * 3600, 3 * 3600, slept(3 * 3600));
        // Set back: by a time server, by a person, to before 1970.
        check(-200, 60, Leap::None);
        check(-240, 60, Leap::None);
        check(-241, 60, back(301));
        check(-86_400, 60, back(86_460));
        assert!(matches!(
            super::slept(SignedDuration::MIN, Duration::MAX),
            Leap::Back(_)
        ));
        assert!(matches!(
            super::slept(SignedDuration::MAX, Duration::ZERO),
            Leap::Slept(_)
        ));
    }

    #[test]
    fn it_is_awake_since_the_last_leap() {
        let at = |second: i64| Timestamp::from_second(1_795_000_000 + second).unwrap();
        let mut machine = Machine::new(at(0), false);
        let steps = [
            (60, 60, Leap::None, 0),
            (120, 119, Leap::None, 0),
            (7_200, 125, Leap::Slept(Duration::from_secs(7_080)), 7_200),
            (7_260, 185, Leap::None, 7_200),
            (3_660, 245, Leap::Back(Duration::from_secs(3_660)), 3_660),
            (3_720, 305, Leap::None, 3_660),
        ];
        for (wall, monotonic, leap, awake_since) in steps {
            assert_eq!(
                machine.beat(at(wall), Duration::from_secs(monotonic)),
                leap,
                "at {wall}"
            );
            assert_eq!(machine.awake_since, at(awake_since), "at {wall}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn routes_are_believed_where_network_manager_has_nothing_to_say() {
        use Network::{Down, Unknown, Up};
        for (manager, routes, expected) in [
            (None, Up, Up),
            (None, Down, Down),
            (Some(Up), Up, Up),
            (Some(Down), Down, Down),
            (Some(Down), Unknown, Down),
            (Some(Down), Up, Unknown),
            (Some(Unknown), Up, Unknown),
        ] {
            assert_eq!(both(manager, routes), expected, "{manager:?} {routes:?}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn routes_from_before_a_sleep_are_not_believed_at_once() {
        use Network::{Down, Unknown, Up};
        let check = |manager, network, awake: Option<u64>, expected: Network| {
            let after = after_sleep(manager, network, awake.map(Duration::from_secs));
            assert_eq!(after, expected, "{manager:?} {network:?} {awake:?}");
        };
        check(None, Up, None, Up);
        check(None, Up, Some(0), Down);
        check(None, Unknown, Some(9), Down);
        check(None, Up, Some(10), Up);
        check(Some(Up), Up, Some(0), Up);
        check(Some(Unknown), Up, Some(5), Down);
        check(Some(Unknown), Unknown, Some(11), Unknown);
    }

    #[test]
    fn it_dozes_from_the_systems_word_until_it_is_awake() {
        let at = |second: i64| Timestamp::from_second(1_795_000_000 + second).unwrap();
        let mut machine = Machine::new(at(0), false);
        assert!(!machine.read(at(0)).dozes);
        machine.sleeps(true, at(5));
        let facts = machine.read(at(5));
        assert!(facts.dozes && facts.awake_since == at(0));
        machine.sleeps(false, at(4000));
        // The clocks have parted, too: it is still one sleep.
        let facts = machine.read(at(4001));
        assert!(!facts.dozes && facts.awake_since == at(4001));
        // Where the system says only half of it, the clocks say the rest.
        machine.sleeps(true, at(4002));
        assert!(!machine.read(at(9000)).dozes);
    }

    #[test]
    fn this_machine_can_be_read_quickly() {
        let now = Timestamp::from_second(1_795_000_000).unwrap();
        let mut machine = Machine::new(now, false);
        let start = Instant::now();
        let facts = machine.read(now);
        assert_eq!(facts.awake_since, now);
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    }
}
