//! Rounds and samples as they are remembered.

use super::*;
use crate::api::{Damage, DamagedWhat, HurtRecord};
use crate::catalogue::{Round, Sample};

#[test]
fn a_round_goes_on_where_it_was_and_goes_with_its_place() {
    let fixture = Fixture::new();
    let catalogue = &fixture.catalogue;
    assert_eq!(catalogue.round("p").unwrap(), Round::default());
    let round = Round {
        began: Some(at(1)),
        reached: Some("accounts/a/blobs/aa/x".to_owned()),
        bytes: 7,
        of_bytes: 70,
        last: Some(at(2)),
        whole: Some((at(0), at(1))),
        damaged: vec![Damage {
            name: "accounts/a/repo/y.car".to_owned(),
            state: "missing".to_owned(),
            snapshots: vec!["s".to_owned()],
            what: DamagedWhat::Posts,
            record: None,
            hurt: vec![HurtRecord {
                text: "Gulls".to_owned(),
                created: Some(1),
            }],
            hurt_more: 2,
        }],
    };
    catalogue.set_round("p", &round).unwrap();
    assert_eq!(catalogue.round("p").unwrap(), round);
    assert_eq!(catalogue.round("q").unwrap(), Round::default());
    catalogue.forget_place("p").unwrap();
    assert_eq!(catalogue.round("p").unwrap(), Round::default());
}

#[test]
fn a_sample_counts_the_completed_runs_after_it() {
    let fixture = Fixture::new();
    let catalogue = &fixture.catalogue;
    let run = |end: RunEnd| {
        let run = Run {
            did: alice().to_string(),
            began: 0,
            ended: 0,
            end,
        };
        catalogue.add_run(&run).unwrap();
        catalogue.completed_since_sample(&alice()).unwrap()
    };
    assert_eq!(catalogue.sample(&alice()).unwrap(), None);
    assert_eq!(run(RunEnd::Completed { changed: true }), 1);
    assert_eq!(run(RunEnd::Stopped), 1);
    assert_eq!(run(RunEnd::Completed { changed: false }), 2);
    let sample = Sample {
        at: at(3),
        place: "p".to_owned(),
        whole: false,
        last_whole: Some(at(1)),
    };
    catalogue.set_sample(&alice(), &sample).unwrap();
    assert_eq!(catalogue.sample(&alice()).unwrap(), Some(sample));
    assert_eq!(catalogue.completed_since_sample(&alice()).unwrap(), 0);
    assert_eq!(run(RunEnd::Completed { changed: true }), 1);
    catalogue.forget_account(&alice()).unwrap();
    assert_eq!(catalogue.sample(&alice()).unwrap(), None);
}
