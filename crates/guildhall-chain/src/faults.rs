//! What stands against whom: the calls that prove that somebody signed two things, and that show what a certificate left out.
//!
//! Who sends a proof has a part of what is slashed. Knows nothing of who saw the fault.

use alloy::{
    primitives::{Address, B256, U256},
    sol_types::SolCall,
};
use guildhall_protocol::{
    Claim, CompactSignature, RoundId,
    messages::{Commitment, Contribution, RoundList, Signed},
};

use crate::{
    bindings::{IRecourse, Recourse, convert},
    client::{ChainClient, ChainError},
    court::{Subject, certified_batch},
    sender::Call,
};

fn bring<A, B>(value: &A) -> Result<B, ChainError>
where
    A: alloy::sol_types::SolValue,
    B: alloy::sol_types::SolValue + From<<B::SolType as alloy::sol_types::SolType>::RustType>,
{
    convert(value).map_err(|error| ChainError::Answer { what: "a certificate", message: error.to_string() })
}

fn signed_claim(signed: &Signed<Contribution>) -> IRecourse::SignedClaim {
    let Contribution { wave, root, fuel, listHash, .. } = signed.message;
    let CompactSignature { r, vs } = signed.signature;
    IRecourse::SignedClaim { wave, root, fuel, listHash, r, vs }
}

impl ChainClient {
    /// The call that shows what a member that was certified as silent had committed to: an agreeing one gets its slash back.
    ///
    /// # Errors
    /// [`ChainError::Answer`] where the certificate is not the contracts'.
    pub fn show_call(
        &self,
        subject: &Subject,
        index: usize,
        claim: Claim,
        own_trace_root: B256,
    ) -> Result<Call, ChainError> {
        Ok(self.recourse_call(&Recourse::showCall {
            terms: bring(&subject.terms)?,
            certified: certified_batch!(Recourse, subject.certified),
            index: U256::from(index),
            root: claim.root,
            fuel: claim.fuel.0,
            ownTraceRoot: own_trace_root,
        }))
    }

    /// The call that proves that a worker signed two contributions in one round.
    pub fn double_contribution_call(
        &self,
        worker: Address,
        round: RoundId,
        (a, b): (&Signed<Contribution>, &Signed<Contribution>),
    ) -> Call {
        self.recourse_call(&Recourse::proveWorkerFaultCall {
            worker,
            roundId: round.0,
            a: signed_claim(a),
            b: signed_claim(b),
        })
    }

    /// The call that proves that a worker signed two commitments in one round.
    pub fn double_commitment_call(
        &self,
        worker: Address,
        round: RoundId,
        (a, b): (&Signed<Commitment>, &Signed<Commitment>),
    ) -> Call {
        self.recourse_call(&Recourse::proveDoubleCommitmentCall {
            worker,
            roundId: round.0,
            waves: [a.message.wave, b.message.wave],
            commitments: [a.message.commitment, b.message.commitment],
            rs: [a.signature.r, b.signature.r],
            vss: [a.signature.vs, b.signature.vs],
        })
    }

    /// The call that proves that a coordinator signed two lists for one wave.
    pub fn double_list_call(
        &self,
        coordinator: Address,
        round: RoundId,
        (a, b): (&Signed<RoundList>, &Signed<RoundList>),
    ) -> Call {
        self.recourse_call(&Recourse::proveCoordinatorFaultCall {
            coordinator,
            roundId: round.0,
            wave: a.message.wave,
            listHashes: [a.message.listHash, b.message.listHash],
            rs: [a.signature.r, b.signature.r],
            vss: [a.signature.vs, b.signature.vs],
        })
    }

    fn recourse_call(&self, call: &impl SolCall) -> Call {
        Call { to: Some(self.deployment().recourse), data: call.abi_encode().into(), value_wei: U256::ZERO }
    }
}
