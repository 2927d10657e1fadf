//! What the engine does with each request.

use skykeep_atproto::Did;

use super::{Ended, Reply, Request, UnderWay};
use crate::api::{Event, Problem};
use crate::{Engine, Error, on_heap, problem};

impl Engine {
    /// Carries out a request, and tells `progress` what runs and checks are doing meanwhile.
    pub async fn answer_with(
        &self,
        request: Request,
        mut progress: impl FnMut(UnderWay) + Send,
    ) -> Result<Reply, Problem> {
        let mut events = self.events();
        let mut answer = on_heap(|| self.answer(request));
        loop {
            tokio::select! {
                biased;
                reply = &mut answer => return reply.map_err(|error| problem::to_problem(&error)),
                event = events.recv() => {
                    match event {
                        Ok(Event::Run { progress: Some(now), .. }) => progress(UnderWay::Run(now)),
                        Ok(Event::Check { progress: Some(now), .. }) => progress(UnderWay::Check(now)),
                        _ => {}
                    }
                }
            }
        }
    }

    async fn answer(&self, request: Request) -> Result<Reply, Error> {
        Ok(match request {
            Request::Accounts => Reply::Accounts(on_heap(|| self.accounts()).await?),
            Request::AddAccount { text, whose } => {
                let person = on_heap(|| self.look_up(&text)).await?;
                on_heap(|| self.add_account(&person, whose)).await?;
                Reply::Account(Box::new(self.account(&person.did.parse::<Did>()?).await?))
            }
            Request::RemoveAccount { account } => {
                self.remove_account(&self.find_account(&account).await?).await?;
                Reply::Done
            }
            Request::Pause { account, until } => {
                let did = self.one_or_all(account.as_deref()).await?;
                self.pause(did.as_ref(), until).await?;
                Reply::Done
            }
            Request::Resume { account } => {
                let did = self.one_or_all(account.as_deref()).await?;
                self.resume(did.as_ref()).await?;
                Reply::Done
            }
            Request::LookInto { path } => Reply::Opened(on_heap(|| self.look_into(&path)).await?),
            Request::Report => Reply::Report(Box::new(on_heap(|| self.facts()).await?)),
            Request::Places => Reply::Places(self.places().await?),
            Request::AddFolder { path, name } => Reply::Place(on_heap(|| self.add_folder(&path, name)).await?),
            Request::AddBucket { bucket, keys, name } => {
                let keys = self.handed_in(&keys).await?;
                Reply::Place(on_heap(|| self.add_bucket(&bucket, &keys, name)).await?)
            }
            Request::TestPlace { place } => Reply::Tested(on_heap(|| self.test_place(&place)).await?),
            Request::SharePlace { place, share } => {
                self.set_share(&place, share)?;
                Reply::Done
            }
            Request::RetirePlace { place } => Reply::Place(self.retire_place(&place).await?),
            Request::ResumePlace { place } => Reply::Place(self.resume_place(&place).await?),
            Request::MovePlace { place, to } => Reply::Place(self.move_place(&place, &to).await?),
            Request::ChangeKeys { place, keys } => {
                let keys = self.handed_in(&keys).await?;
                on_heap(|| self.change_keys(&place, &keys)).await?;
                Reply::Done
            }
            Request::RemovePlace { place } => {
                self.remove_place(&place).await?;
                Reply::Done
            }
            Request::Family { place, anew } => Reply::Families(match place {
                Some(place) => vec![on_heap(|| self.family(&place, anew)).await?],
                None => on_heap(|| self.families(anew)).await?,
            }),
            Request::LeavePlace { account, place, sure } => {
                let did = self.find_account(&account).await?;
                self.leave_place(&did, &place, sure).await?;
                Reply::Done
            }
            Request::ReturnToPlace { account, place } => {
                self.return_to_place(&self.find_account(&account).await?, &place)
                    .await?;
                Reply::Done
            }
            Request::TakeAlong { account, place, folder } => {
                Reply::TakenAlong(on_heap(|| self.take_along(&account, &place, &folder)).await?)
            }
            Request::BackUp { account } => Reply::Ended(on_heap(|| self.back_up_each(account.as_deref())).await?),
            Request::Snapshots { account } => {
                Reply::Snapshots(self.snapshots(&self.find_account(&account).await?).await?)
            }
            Request::Compare {
                account,
                earlier,
                later,
            } => {
                let did = self.find_account(&account).await?;
                Reply::Comparison(on_heap(|| self.compare(&did, &earlier, &later)).await?)
            }
            Request::Check { place, how } => Reply::Checks(on_heap(|| self.check_as(place.as_deref(), how)).await?),
            Request::Export {
                account,
                snapshot,
                folder,
                from,
                as_of,
            } => {
                let (did, snapshot) = (self.find_account(&account).await?, snapshot.as_deref());
                Reply::Exported(match from {
                    Some(place) => on_heap(|| self.export_from(&did, snapshot, &folder, &place, as_of)).await?,
                    None => on_heap(|| self.export(&did, snapshot, &folder)).await?,
                })
            }
            Request::Import { account, paths } => Reply::Imported(on_heap(|| self.import(&account, &paths)).await?),
            Request::Rebuild { vault } => Reply::Accounts(on_heap(|| self.take_over(&vault)).await?),
            Request::RebuildBucket { bucket, keys, name } => {
                let keys = self.handed_in(&keys).await?;
                Reply::Accounts(on_heap(|| self.take_over_bucket(&bucket, &keys, name)).await?)
            }
            Request::RebuildPast {
                bucket,
                keys,
                as_of,
                folder,
            } => {
                let keys = self.handed_in(&keys).await?;
                Reply::Accounts(on_heap(|| self.take_over_past(&bucket, &keys, as_of, &folder)).await?)
            }
            Request::LookIntoBucket { bucket, keys, as_of } => {
                let keys = self.handed_in(&keys).await?;
                Reply::Opened(on_heap(|| self.look_into_bucket(&bucket, &keys, as_of)).await?)
            }
            Request::ConfirmShrink { account } => {
                self.confirm_shrink(&self.find_account(&account).await?).await?;
                Reply::Done
            }
            Request::Runs { account, limit } => {
                let did = self.one_or_all(account.as_deref()).await?;
                Reply::Runs(self.runs(did.as_ref(), limit).await?)
            }
        })
    }

    /// The account that is meant; `None` when all are.
    async fn one_or_all(&self, account: Option<&str>) -> Result<Option<Did>, Error> {
        match account {
            Some(account) => Ok(Some(self.find_account(account).await?)),
            None => Ok(None),
        }
    }

    async fn back_up_each(&self, account: Option<&str>) -> Result<Vec<Ended>, Error> {
        let dids = match account {
            Some(account) => vec![self.find_account(account).await?],
            None => self
                .inner
                .settings()
                .accounts
                .into_iter()
                .map(|account| account.did)
                .collect(),
        };
        let mut ends = Vec::new();
        for did in dids {
            ends.push(Ended {
                account: did.to_string(),
                end: self.back_up(&did).await?,
            });
        }
        Ok(ends)
    }
}
