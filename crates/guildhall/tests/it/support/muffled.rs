//! A coordinator with bad habits: what it does with messages that it has taken.

use std::sync::{Arc, Mutex, OnceLock};

use alloy::{
    primitives::{Address, bytes::Bytes},
    sol_types::Eip712Domain,
};
use axum::{
    Router,
    response::sse::{Event, KeepAlive, Sse},
    routing::get,
};
use futures::{StreamExt as _, stream};
use guildhall_api::{
    About, Ack, ApiError, CoordinatorClient, Credential, Envelope, MemberEvent, MemberStream,
    OpenContribution, RoundRef, RoundState, SignedList,
};
use guildhall_chain::Key;
use guildhall_protocol::{
    ContentId, RoundId,
    messages::{Commitment, Reservation, RoundList, Signed, Unavailable},
};
use guildhall_worker::Link;
use tokio::net::TcpListener;

/// What becomes of what a worker says.
#[derive(Clone, Debug)]
pub(crate) enum Habit {
    /// Commitments are acknowledged and never listed.
    ForgetsCommitments,
    /// Contributions are acknowledged, shown to nobody and never posted.
    KeepsContributions,
    /// The same with those of one worker: of the first that has one.
    KeepsContributionsOf(Arc<OnceLock<Address>>),
    /// All seats are taken, it says, whether they are or not.
    SaysFull,
    /// Certified receipts are served to nobody.
    ServesNothing,
    /// Each list is followed by another one of the same wave, without its first line, signed with the coordinator's key.
    SignsTwoLists(Arc<OnceLock<(Key, Eip712Domain)>>),
}

/// The way to such a coordinator.
#[derive(Debug)]
pub(crate) struct Muffled {
    pub(crate) link: Arc<dyn Link>,
    pub(crate) habit: Habit,
}

#[async_trait::async_trait]
impl Link for Muffled {
    async fn about(&self) -> Result<About, ApiError> {
        self.link.about().await
    }

    async fn reserve(&self, message: &Envelope<Reservation>) -> Result<Ack, ApiError> {
        match self.habit {
            Habit::SaysFull => Ok(Ack::Full),
            _ => self.link.reserve(message).await,
        }
    }

    async fn commit(&self, message: &Envelope<Commitment>) -> Result<Ack, ApiError> {
        match self.habit {
            Habit::ForgetsCommitments => Ok(Ack::Accepted),
            _ => self.link.commit(message).await,
        }
    }

    async fn contribute(&self, message: &OpenContribution) -> Result<Ack, ApiError> {
        let worker = message.envelope.worker;
        match &self.habit {
            Habit::KeepsContributions => Ok(Ack::Accepted),
            Habit::KeepsContributionsOf(first) if *first.get_or_init(|| worker) == worker => {
                Ok(Ack::Accepted)
            }
            _ => self.link.contribute(message).await,
        }
    }

    async fn unavailable(&self, message: &Envelope<Unavailable>) -> Result<Ack, ApiError> {
        self.link.unavailable(message).await
    }

    async fn round(&self, round: RoundId) -> Result<RoundState, ApiError> {
        self.link.round(round).await
    }

    async fn store_result(
        &self,
        round: RoundRef,
        bundle: Bytes,
        credential: &Credential,
    ) -> Result<(), ApiError> {
        self.link.store_result(round, bundle, credential).await
    }

    async fn stored_result(&self, round: RoundRef) -> Result<Option<ContentId>, ApiError> {
        self.link.stored_result(round).await
    }

    async fn result(&self, round: RoundRef) -> Result<Vec<u8>, ApiError> {
        match self.habit {
            Habit::ServesNothing => Err(ApiError::Foreign {
                url: "http://127.0.0.1/v1/results".into(),
                status: 404,
                detail: "no result".into(),
            }),
            _ => self.link.result(round).await,
        }
    }

    async fn store_blob(&self, bytes: Bytes, credential: &Credential) -> Result<(), ApiError> {
        self.link.store_blob(bytes, credential).await
    }

    async fn stream(&self, credential: &Credential) -> Result<MemberStream, ApiError> {
        let honest = self.link.stream(credential).await?;
        match &self.habit {
            Habit::SignsTwoLists(key) => with_second_lists(honest, key.clone()).open(credential).await,
            _ => Ok(honest),
        }
    }
}

/// A server of one stream.
struct Twofold(Router);

impl Twofold {
    /// Serves it to whoever comes first, and comes.
    async fn open(self, credential: &Credential) -> Result<MemberStream, ApiError> {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        tokio::spawn(async move { axum::serve(listener, self.0).await });
        CoordinatorClient::new(&url).expect("an address").member_stream(credential).await
    }
}

/// The stream with a second list after each one.
fn with_second_lists(honest: MemberStream, key: Arc<OnceLock<(Key, Eip712Domain)>>) -> Twofold {
    let said =
        stream::unfold(
            honest,
            |mut honest| async move { Some((honest.next().await.ok().flatten()?, honest)) },
        );
    let said = said.flat_map(move |event| {
        let second = match (&event, key.get()) {
            (MemberEvent::Listed { list }, Some(key)) => {
                Some(MemberEvent::Listed { list: second(list, key) })
            }
            _ => None,
        };
        stream::iter([event].into_iter().chain(second))
    });
    let said = said.map(|event| Event::default().json_data(event));
    let said = Arc::new(Mutex::new(Some(said.boxed())));
    let serve = move || async move {
        let said = said.lock().expect("not poisoned").take().expect("one comes");
        Sse::new(said).keep_alive(KeepAlive::default())
    };
    Twofold(Router::new().route("/v1/stream", get(serve)))
}

/// What a coordinator says that leaves somebody out whom it had listed.
fn second(list: &SignedList, (key, domain): &(Key, Eip712Domain)) -> Box<SignedList> {
    let entries = list.entries[1..].to_vec();
    let hash = SignedList::hash_of(list.before, list.wave(), &entries).expect("a list");
    let message = RoundList { roundId: list.round.id.0, wave: list.wave(), listHash: hash };
    let signature = key.sign_message(&message, domain).expect("a key signs");
    let (round, before) = (list.round, list.before);
    Box::new(SignedList { round, before, entries, signed: Signed { message, signature } })
}
