//! Problems that stand.

use super::*;

#[test]
fn problems_stand_until_they_are_cleared_and_are_new_once() {
    let Fixture { catalogue, dir: _dir } = Fixture::new();
    let (account, place) = (Subject::Account(alice()), Subject::Place("home of mine".to_owned()));
    let note = problem("media_missing", Severity::Note, "1");
    let danger = problem("shrunk", Severity::Danger, "");
    assert!(catalogue.raise(&account, &note, at(1)).unwrap());
    assert!(catalogue.raise(&account, &danger, at(2)).unwrap());
    assert!(catalogue.raise(&place, &note, at(3)).unwrap());
    assert!(catalogue.raise(&Subject::App, &note, at(0)).unwrap());
    let worded_anew = problem("media_missing", Severity::Note, "2");
    assert!(!catalogue.raise(&account, &worded_anew, at(9)).unwrap());

    let standing = |subject: &Subject, problem: &Problem, since| Standing {
        subject: subject.clone(),
        problem: problem.clone(),
        since: at(since),
    };
    let expected = [
        standing(&account, &danger, 2),
        standing(&Subject::App, &note, 0),
        standing(&account, &worded_anew, 1),
        standing(&place, &note, 3),
    ];
    assert_eq!(catalogue.problems().unwrap(), expected);
    assert_eq!(catalogue.problems_of(&account).unwrap().len(), 2);

    assert_eq!(catalogue.clear_except(&account, &["shrunk", "other"]).unwrap(), 1);
    assert!(!catalogue.clear(&account, "media_missing").unwrap());
    assert!(catalogue.clear(&account, "shrunk").unwrap());
    assert_eq!(catalogue.clear_except(&Subject::App, &[]).unwrap(), 1);
    assert_eq!(catalogue.problems().unwrap(), [standing(&place, &note, 3)]);
    assert!(
        catalogue.raise(&account, &danger, at(12)).unwrap(),
        "after it was over it is new again"
    );
    catalogue.forget_place("home of mine").unwrap();
    assert_eq!(catalogue.problems().unwrap(), [standing(&account, &danger, 12)]);
}

#[test]
fn problems_are_kept_by_code_and_values_and_those_of_older_versions_as_they_are() {
    let Fixture { catalogue, dir: _dir } = Fixture::new();
    let place = Subject::Place("home".to_owned());
    let mended = crate::problem::mended("Drive", 2);
    catalogue.raise(&place, &mended, at(1)).unwrap();
    let failed = RunEnd::Failed {
        problem: crate::problem::shrunk(60, 3),
    };
    catalogue.add_run(&run(&alice(), 5, failed.clone())).unwrap();
    let kept: String = catalogue
        .lock()
        .query_row("SELECT json_extract(json, '$.values.place') FROM problems", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert_eq!(kept, "Drive");
    assert_eq!(catalogue.problems().unwrap()[0].problem, mended);
    assert_eq!(catalogue.runs(None, 1).unwrap()[0].end, failed);

    // As a version wrote them that kept words alone.
    for (table, path) in [("problems", "$.values"), ("runs", "$.end.problem.values")] {
        let sql = format!("UPDATE {table} SET json = json_remove(json, '{path}')");
        catalogue.lock().execute(&sql, []).unwrap();
    }
    let older = catalogue.problems().unwrap().remove(0).problem;
    assert_eq!((older.happened(), older.code.as_str()), (mended.happened(), "mended"));
    assert!(older.values.is_empty() && older.said.is_some());
    let RunEnd::Failed { problem } = catalogue.runs(None, 1).unwrap().remove(0).end else {
        panic!("it failed");
    };
    assert_eq!(problem.todo(), crate::problem::shrunk(60, 3).todo());
    assert!(problem.said.is_some());
}
