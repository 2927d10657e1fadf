//! Verbs that need the engine: from what was typed to a request, from a reply to what is printed.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use skykeep_engine::api::{BucketAddress, CheckHow, Problem, RunEnd, Severity, Whose};
use skykeep_engine::{CancellationToken, Door, Engine, Error, HandedIn, Reply, Request, to_problem};
use tracing::warn;

use crate::arguments::{AccountVerb, BucketArguments, Elsewhere, LookElsewhere, PlaceKind, PlaceVerb, Verb};
use crate::show::{self, Bars};
use crate::{output, said, secrets};

/// Stack of each thread, in bytes: what is handed over runs as deep there as verbs of our own do on the first thread.
const STACK: usize = 8 << 20;

/// How long the scheduler waits for the end of a verb that has the engine.
const VERB_PATIENCE: Duration = Duration::from_secs(3);

/// Carries out a verb; whether everything is done and sound.
pub(crate) fn run(verb: Verb, json: bool) -> bool {
    let verb = verb.plain();
    let handed_in = match hand_in(&verb) {
        Ok(keys) => keys,
        Err(reason) => return refused(reason, json),
    };
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = match builder.enable_all().thread_stack_size(STACK).build() {
        Ok(runtime) => runtime,
        Err(error) => return output::failed(json, &error.to_string()),
    };
    runtime.block_on(async {
        let outcome = match verb {
            Verb::Run => serve().await.map(|()| true).map_err(|error| to_problem(&error)),
            verb => ask(request(verb, handed_in.as_ref()), json).await,
        };
        outcome.unwrap_or_else(|problem| {
            show::problem(&problem, json);
            false
        })
    })
}

/// Puts what a verb needs in secret where the engine finds it.
fn hand_in(verb: &Verb) -> Result<Option<HandedIn>, NotHanded> {
    let from = match verb {
        Verb::Place {
            verb: PlaceVerb::Add {
                kind: PlaceKind::S3(bucket),
            },
        } => bucket.secrets_from,
        Verb::Place {
            verb: PlaceVerb::Keys { secrets_from, .. },
        } => *secrets_from,
        Verb::Rebuild {
            elsewhere: Some(Elsewhere::S3 { bucket, .. }),
            ..
        }
        | Verb::Look {
            elsewhere: Some(LookElsewhere::S3 { bucket, .. }),
            ..
        } => bucket.secrets_from,
        _ => return Ok(None),
    };
    let keys = secrets::bucket_keys(from).map_err(NotHanded::Read)?;
    HandedIn::new(&keys).map(Some).map_err(NotHanded::Kept)
}

/// Why secrets did not reach the engine.
enum NotHanded {
    Read(io::Error),
    Kept(Error),
}

fn refused(reason: NotHanded, json: bool) -> bool {
    match reason {
        NotHanded::Read(error) if error.kind() == io::ErrorKind::InvalidInput => {
            output::wrong_usage(&error.to_string())
        }
        NotHanded::Read(error) => output::failed(json, &output::chain(&error)),
        NotHanded::Kept(error) => {
            show::problem(&to_problem(&error), json);
            false
        }
    }
}

fn request(verb: Verb, handed_in: Option<&HandedIn>) -> Request {
    let keys = || handed_in.map_or_else(String::new, |keys| keys.entry().to_owned());
    match verb {
        Verb::Account { verb } => match verb {
            AccountVerb::Add { account, theirs } => Request::AddAccount {
                text: account,
                whose: if theirs { Whose::Theirs } else { Whose::Mine },
            },
            AccountVerb::Pause { account, all: _, hours } => Request::Pause {
                account,
                until: hours.map(|hours| Timestamp::now().as_millisecond() + i64::from(hours) * 3_600_000),
            },
            AccountVerb::Resume { account, all: _ } => Request::Resume { account },
            AccountVerb::List => Request::Accounts,
            AccountVerb::Leave { account, place, sure } => Request::LeavePlace { account, place, sure },
            AccountVerb::Return { account, place } => Request::ReturnToPlace { account, place },
            AccountVerb::TakeAlong { account, place, to } => Request::TakeAlong {
                account,
                place,
                folder: absolute(&to),
            },
            AccountVerb::Remove { account } => Request::RemoveAccount { account },
        },
        Verb::Place { verb } => match verb {
            PlaceVerb::Add {
                kind: PlaceKind::Folder { path, name },
            } => Request::AddFolder {
                path: absolute(&path),
                name,
            },
            PlaceVerb::Add {
                kind: PlaceKind::S3(bucket),
            } => {
                let (bucket, name) = address(bucket);
                Request::AddBucket {
                    bucket,
                    name,
                    keys: keys(),
                }
            }
            PlaceVerb::Test { place } => Request::TestPlace { place },
            PlaceVerb::Retire { place } => Request::RetirePlace { place },
            PlaceVerb::Share { place, gigabytes } => Request::SharePlace {
                place,
                share: gigabytes.map(|gigabytes| gigabytes * 1_000_000_000),
            },
            PlaceVerb::Resume { place } => Request::ResumePlace { place },
            PlaceVerb::Move { place, to } => Request::MovePlace { place, to },
            PlaceVerb::Keys { place, secrets_from: _ } => Request::ChangeKeys { place, keys: keys() },
            PlaceVerb::List => Request::Places,
            PlaceVerb::Remove { place } => Request::RemovePlace { place },
        },
        Verb::Family { place, anew } => Request::Family { place, anew },
        Verb::Backup { account, all: _ } => Request::BackUp { account },
        Verb::Status => Request::Accounts,
        Verb::Snapshots { account } => Request::Snapshots { account },
        Verb::Compare {
            account,
            earlier,
            later,
        } => Request::Compare {
            account,
            earlier,
            later,
        },
        Verb::Check { place, of, read_all } => Request::Check {
            place: place.or(of),
            how: if read_all { CheckHow::ReadAll } else { CheckHow::Names },
        },
        Verb::Heal { place } => Request::Check {
            place,
            how: CheckHow::Heal,
        },
        Verb::Export {
            account,
            snapshot,
            to,
            from,
            as_of,
        } => Request::Export {
            account,
            snapshot,
            folder: absolute(&to),
            from,
            as_of: as_of.map(Timestamp::as_millisecond),
        },
        Verb::Import { account, paths } => Request::Import {
            account,
            paths: paths.iter().map(|path| absolute(path)).collect(),
        },
        Verb::Look {
            elsewhere: Some(LookElsewhere::S3 { bucket, as_of }),
            ..
        } => Request::LookIntoBucket {
            bucket: address(bucket).0,
            keys: keys(),
            as_of: as_of.map(Timestamp::as_millisecond),
        },
        Verb::Look { path, elsewhere: None } => Request::LookInto {
            path: absolute(&path.unwrap_or_default()),
        },
        Verb::Report => Request::Report,
        Verb::Rebuild {
            elsewhere:
                Some(Elsewhere::S3 {
                    bucket,
                    as_of: Some(as_of),
                    to: Some(to),
                }),
            ..
        } => Request::RebuildPast {
            bucket: address(bucket).0,
            keys: keys(),
            as_of: as_of.as_millisecond(),
            folder: absolute(&to),
        },
        Verb::Rebuild {
            elsewhere: Some(Elsewhere::S3 { bucket, .. }),
            ..
        } => {
            let (bucket, name) = address(bucket);
            Request::RebuildBucket {
                bucket,
                name,
                keys: keys(),
            }
        }
        Verb::Rebuild { from, elsewhere: None } => Request::Rebuild {
            vault: absolute(&from.unwrap_or_default()),
        },
        Verb::ConfirmShrink { account } => Request::ConfirmShrink { account },
        Verb::Run | Verb::Inspect { .. } | Verb::Vault { .. } => unreachable!("these are not requests"),
    }
}

/// Where a bucket is, and what to call it.
fn address(typed: BucketArguments) -> (BucketAddress, Option<String>) {
    let bucket = BucketAddress {
        endpoint: typed.endpoint,
        bucket: typed.bucket,
        region: typed.region,
        prefix: typed.prefix,
        in_host: typed.in_host,
    };
    (bucket, typed.name)
}

/// The engine may run in another folder than this program.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Has a request carried out. Where the engine is opened here, others who come meanwhile are served too, to the end.
async fn ask(request: Request, json: bool) -> Result<bool, Problem> {
    let door = Door::open().await.map_err(|error| to_problem(&error))?;
    let Door::Here(engine) = &door else {
        return ask_at(&door, request, json).await;
    };
    let done = CancellationToken::new();
    let own = async {
        let good = ask_at(&door, request, json).await;
        done.cancel();
        good
    };
    let (good, served) = tokio::join!(own, engine.serve(done.clone()));
    if let Err(error) = served {
        warn!(%error, "other programs could not be served meanwhile");
    }
    good
}

async fn ask_at(door: &Door, request: Request, json: bool) -> Result<bool, Problem> {
    let bars = Bars::new();
    let asked = door.ask(request, |progress| bars.show(&progress));
    let reply = tokio::select! {
        reply = asked => reply,
        _ = tokio::signal::ctrl_c() => {
            if let Door::Here(engine) = door {
                engine.shut_down();
            }
            Err(to_problem(&Error::Stopped))
        }
    };
    bars.clear();
    let reply = reply?;
    show::reply(&reply, json);
    Ok(is_good(&reply))
}

/// Whether a reply means that all is done and sound. A run that was skipped is no failure.
fn is_good(reply: &Reply) -> bool {
    match reply {
        Reply::Ended(ends) => ends
            .iter()
            .all(|ended| matches!(ended.end, RunEnd::Completed { .. } | RunEnd::Skipped { .. })),
        Reply::Tested(test) => test.problem.is_none(),
        Reply::Checks(checks) => checks.iter().all(|check| check.damaged.is_empty()),
        Reply::Accounts(accounts) => accounts.iter().all(|account| {
            account
                .problems
                .iter()
                .all(|problem| problem.severity == Severity::Note)
        }),
        Reply::Exported(exported) => exported.missing.is_empty(),
        Reply::Opened(opened) => opened.problems.is_empty(),
        Reply::TakenAlong(taken) => taken.left_behind == 0,
        Reply::Done
        | Reply::Account(_)
        | Reply::Place(_)
        | Reply::Places(_)
        | Reply::Families(_)
        | Reply::Snapshots(_)
        | Reply::Comparison(_)
        | Reply::Imported(_)
        | Reply::Report(_)
        | Reply::Runs(_) => true,
    }
}

/// The scheduler, until the program is asked to end.
async fn serve() -> Result<(), Error> {
    let engine = open_to_serve().await?;
    let cancel = CancellationToken::new();
    let ended = cancel.clone();
    tokio::spawn(async move {
        asked_to_end().await;
        ended.cancel();
    });
    output::note(&said::running());
    let (served, ()) = tokio::join!(engine.serve(cancel.clone()), engine.run_until(cancel.clone()));
    served
}

/// Opens the engine. Another verb may have it for a moment; who has it for longer runs already.
async fn open_to_serve() -> Result<Engine, Error> {
    let began = Instant::now();
    loop {
        match Engine::open().await {
            Err(Error::EngineRunning { .. }) if began.elapsed() < VERB_PATIENCE => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            opened => return opened,
        }
    }
}

async fn asked_to_end() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let (Ok(mut terminate), Ok(mut hang_up)) = (signal(SignalKind::terminate()), signal(SignalKind::hangup())) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
                _ = hang_up.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
