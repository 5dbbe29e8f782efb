//! The pallet in a runtime of its own, with evidence of a mock PKI.

mod collateral;
mod completeness;
mod ends;
mod evidence;
mod governance;
mod random;

pub(crate) use frame_support::{assert_noop, assert_ok, pallet_prelude::Pays};
pub(crate) use holdfast_evidence::{
    mock::{CertificateName, Kind, Plan, Revoked},
    Evidence, Role, TcbStatus,
};

pub(crate) use crate::mock::Attestation;
pub(crate) use crate::{mock::*, *};

pub(crate) type Failure = Error<Test>;

/// What happened since the block began.
pub(crate) fn events() -> Vec<Event<Test>> {
    let ours = |record: frame_system::EventRecord<RuntimeEvent, _>| match record.event {
        RuntimeEvent::Attestation(event) => Some(event),
        _ => None,
    };
    System::events().into_iter().filter_map(ours).collect()
}

/// A subject's attestation.
pub(crate) fn of(operator: u64) -> Option<crate::Attestation<u64>> {
    Attestations::<Test>::get(Subject { operator, role: Role::VALIDATOR })
}

/// Whether it counts for others.
pub(crate) fn is_attested(operator: u64) -> bool {
    <crate::Pallet<Test> as AttestationInfo<u64>>::attested(&operator, Role::VALIDATOR).is_some()
}

/// Collateral that is made now, with a change.
pub(crate) fn newer(change: impl FnOnce(&mut Plan)) -> Plan {
    // What a plan makes is a day old.
    let mut plan = Plan::new(Kind::Td15, crate::Pallet::<Test>::now() + DAY);
    change(&mut plan);
    plan
}
