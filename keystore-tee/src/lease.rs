//! Which of several nodes on one daemon may sign, seen from one of them. Pure.

use holdfast_protocol::lease::{Claim, Identity, Lease, Tenure};

use crate::takeover::{Round, Takeover};

/// What part this node has in signing with the TEE's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The daemon has not said yet who holds the lease, or keeps it for this node's own previous process.
    Unknown,
    /// This node signs. It stays active while the daemon is away.
    Active,
    /// Another node signs, or did. This one follows, and takes over once nobody holds the lease and two rounds of
    /// GRANDPA have passed.
    Standby,
    /// This node signed, and another has taken over: it never signs again, and its process should end.
    Superseded,
    /// This node is no validator: it never asks for the lease.
    Observer,
}

impl Role {
    /// All of them.
    pub const ALL: [Role; 5] = [Role::Unknown, Role::Active, Role::Standby, Role::Superseded, Role::Observer];

    /// Its name, in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Role::Unknown => "unknown",
            Role::Active => "active",
            Role::Standby => "standby",
            Role::Superseded => "superseded",
            Role::Observer => "observer",
        }
    }

    /// Whether a signature need not be asked for: the daemon would refuse it.
    pub(crate) fn idle(self) -> bool {
        matches!(self, Role::Standby | Role::Superseded | Role::Observer)
    }
}

/// One node among those that may want the lease.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    mine: Identity,
    role: Role,
    round: Option<Round>,
    takeover: Takeover,
    /// The daemon keeps the lease for whoever held it before its start.
    reserved: bool,
}

/// Where a candidate stands after a look at the lease: what is worth telling when it changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It holds the lease.
    Active,
    /// This other process of its own node does, which should be gone.
    AfterItself(Identity),
    /// It waits for this one.
    Behind(Identity),
    /// Nobody does, and it waits for rounds to pass. Who did last, as far as the daemon knows.
    Next(Option<Identity>),
    /// Nothing that anyone need be told.
    Quiet,
}

impl Candidate {
    pub(crate) fn new(mine: Identity, role: Role) -> Self {
        Self { mine, role, round: None, takeover: Takeover::default(), reserved: false }
    }

    pub(crate) fn role(&self) -> Role {
        self.role
    }

    pub(crate) fn mine(&self) -> &Identity {
        &self.mine
    }

    /// The round of GRANDPA that this node is in.
    pub(crate) fn round(&self) -> Option<Round> {
        self.round
    }

    /// What to ask for.
    pub(crate) fn claim(&self) -> Claim {
        match self.role {
            Role::Unknown => Claim::Take,
            Role::Active => Claim::Keep,
            Role::Standby if self.takeover.due() && !self.reserved => Claim::TakeOver,
            Role::Standby | Role::Superseded | Role::Observer => Claim::Look,
        }
    }

    /// The daemon has said how the lease stands.
    pub(crate) fn judge(&mut self, lease: &Lease) -> Standing {
        let Tenure::Free { last, reserved_ms } = lease.tenure else {
            self.takeover.held();
            return self.judge_held(lease);
        };
        self.reserved = reserved_ms > 0;
        self.judge_free(last);
        if self.role != Role::Standby {
            return Standing::Quiet;
        }
        self.takeover.free(self.round, lease.last_vote);
        Standing::Next(last)
    }

    /// The node has come to this round. Says whether the lease should be asked for at once.
    pub(crate) fn observe(&mut self, round: Round) -> bool {
        self.round = Some(round);
        self.takeover.observe(round) && !self.reserved
    }

    fn judge_held(&mut self, lease: &Lease) -> Standing {
        match (self.role, lease.tenure) {
            (Role::Superseded | Role::Observer, _) | (_, Tenure::Free { .. }) => Standing::Quiet,
            (_, Tenure::Yours) => {
                self.role = Role::Active;
                Standing::Active
            }
            (Role::Unknown, Tenure::Held { holder, .. }) if holder.node == self.mine.node => {
                Standing::AfterItself(holder)
            }
            (Role::Unknown | Role::Standby, Tenure::Held { holder, .. }) => {
                self.role = Role::Standby;
                Standing::Behind(holder)
            }
            (Role::Active, Tenure::Held { holder, .. }) => {
                self.lose_to(holder);
                Standing::Quiet
            }
        }
    }

    fn judge_free(&mut self, last: Option<Identity>) {
        let Some(last) = last else { return };
        match self.role {
            Role::Unknown if last.node != self.mine.node => self.role = Role::Standby,
            Role::Active => self.lose_to(last),
            _ => {}
        }
    }

    /// Another process held the lease after this one.
    fn lose_to(&mut self, holder: Identity) {
        if (holder.node, holder.process) != (self.mine.node, self.mine.process) {
            self.role = Role::Superseded;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LASTS: u32 = 10_000;
    const MINE: [u8; 32] = [1; 32];

    fn lease(tenure: Tenure) -> Lease {
        Lease { tenure, lasts_ms: LASTS, last_vote: Some((0, 5)), last_slot: None }
    }

    fn held(holder: Identity) -> Tenure {
        Tenure::Held { holder, since_ms: 5, silent_ms: 1 }
    }

    fn free(last: Option<Identity>, reserved_ms: u32) -> Tenure {
        Tenure::Free { last, reserved_ms }
    }

    /// This process, an earlier one of the same node, and another node's.
    fn identities() -> (Identity, Identity, Identity) {
        (Identity::new(MINE, "mine"), Identity::new(MINE, "mine"), Identity::new([2; 32], "other"))
    }

    /// Every answer that a daemon can give to `mine`.
    fn answers(mine: Identity, earlier: Identity, other: Identity) -> Vec<Tenure> {
        let holders = [mine, earlier, other];
        let lasts = [None, Some(mine), Some(earlier), Some(other)];
        let frees = lasts.into_iter().flat_map(|last| [free(last, 0), free(last, LASTS)]);
        [Tenure::Yours].into_iter().chain(holders.map(held)).chain(frees).collect()
    }

    /// The role that follows, written down once more and in another way.
    fn expected(role: Role, tenure: Tenure, mine: Identity) -> Role {
        let named = match tenure {
            Tenure::Yours => {
                return if role == Role::Superseded || role == Role::Observer { role } else { Role::Active }
            }
            Tenure::Held { holder, .. } => Some(holder),
            Tenure::Free { last, .. } => last,
        };
        match (role, named) {
            (Role::Active, Some(named)) if named.process != mine.process => Role::Superseded,
            (Role::Unknown, Some(named)) if named.node != mine.node => Role::Standby,
            _ => role,
        }
    }

    #[test]
    fn every_role_meets_every_answer_as_it_should() {
        let (mine, earlier, other) = identities();
        for role in Role::ALL {
            for tenure in answers(mine, earlier, other) {
                let mut candidate = Candidate::new(mine, role);
                candidate.judge(&lease(tenure));
                assert_eq!(candidate.role(), expected(role, tenure, mine), "{role:?}, {tenure:?}");
            }
        }
    }

    // Rule 5: never two. Only who holds the lease, or held it last, is ever active.
    #[test]
    fn rule_5_nobody_becomes_active_but_by_holding_the_lease_nor_again_after_another_did() {
        let (mine, earlier, other) = identities();
        let answers = answers(mine, earlier, other);
        let judge = |candidate: &Candidate, tenure: Tenure| {
            let mut next = candidate.clone();
            next.judge(&lease(tenure));
            for round in 0..20 {
                next.observe((0, round));
            }
            next
        };
        let mut front = vec![Candidate::new(mine, Role::Unknown)];
        for _ in 0..3 {
            let mut reached = Vec::new();
            for candidate in &front {
                for tenure in &answers {
                    let next = judge(candidate, *tenure);
                    match (candidate.role(), next.role()) {
                        (Role::Superseded, role) => assert_eq!(role, Role::Superseded),
                        (Role::Active, role) => assert!(matches!(role, Role::Active | Role::Superseded)),
                        (_, Role::Active) => assert_eq!(*tenure, Tenure::Yours),
                        (_, role) => assert_ne!(role, Role::Superseded),
                    }
                    reached.push(next);
                }
            }
            front = reached;
        }
    }

    #[test]
    fn every_role_asks_for_what_it_may_have() {
        let (mine, ..) = identities();
        let claims = Role::ALL.map(|role| Candidate::new(mine, role).claim());
        assert_eq!(claims, [Claim::Take, Claim::Keep, Claim::Look, Claim::Look, Claim::Look]);
    }

    #[test]
    fn a_standby_takes_over_after_two_rounds_without_a_holder() {
        let (mine, _, other) = identities();
        let mut candidate = Candidate::new(mine, Role::Unknown);
        candidate.observe((0, 4));
        assert_eq!(candidate.judge(&lease(held(other))), Standing::Behind(other));
        assert!(!candidate.observe((0, 5)) && !candidate.observe((0, 6)));
        assert_eq!(candidate.judge(&lease(free(Some(other), 0))), Standing::Next(Some(other)));
        assert_eq!(candidate.claim(), Claim::Look);
        assert!(!candidate.observe((0, 7)) && candidate.observe((0, 8)), "asks at once");
        assert_eq!(candidate.claim(), Claim::TakeOver);
        // Another was quicker.
        assert_eq!(candidate.judge(&lease(held(other))), Standing::Behind(other));
        assert_eq!(candidate.claim(), Claim::Look);
        candidate.judge(&lease(free(Some(other), 0)));
        candidate.observe((0, 9));
        candidate.observe((0, 10));
        assert_eq!(candidate.judge(&lease(Tenure::Yours)), Standing::Active);
        assert_eq!((candidate.role(), candidate.claim()), (Role::Active, Claim::Keep));
    }

    // Rule 5: whoever held the lease before the daemon's start has the first word.
    #[test]
    fn rule_5_a_standby_leaves_a_reserved_lease_to_its_holder_however_many_rounds_pass() {
        let (mine, _, other) = identities();
        let mut candidate = Candidate::new(mine, Role::Unknown);
        candidate.observe((0, 5));
        assert_eq!(candidate.judge(&lease(free(Some(other), LASTS))), Standing::Next(Some(other)));
        assert_eq!(candidate.role(), Role::Standby);
        for round in 6..10 {
            assert!(!candidate.observe((0, round)), "there is nothing to ask for");
            assert_eq!(candidate.claim(), Claim::Look);
        }
        candidate.judge(&lease(free(Some(other), 1)));
        assert_eq!(candidate.claim(), Claim::Look);
        candidate.judge(&lease(free(Some(other), 0)));
        assert_eq!(candidate.claim(), Claim::TakeOver);
    }

    #[test]
    fn a_standby_waits_for_rounds_also_when_nobody_ever_held_the_lease() {
        let (mine, ..) = identities();
        let mut candidate = Candidate::new(mine, Role::Standby);
        candidate.observe((0, 9));
        assert_eq!(candidate.judge(&lease(free(None, 0))), Standing::Next(None));
        assert_eq!(candidate.claim(), Claim::Look);
        candidate.observe((0, 10));
        candidate.observe((0, 11));
        assert_eq!(candidate.claim(), Claim::TakeOver);
    }

    // Rule 5: a voter that begins again has seen nothing pass.
    #[test]
    fn rule_5_a_round_that_goes_back_in_its_set_is_where_the_node_is_and_begins_the_count_anew() {
        let (mine, _, other) = identities();
        let mut candidate = Candidate::new(mine, Role::Standby);
        let free = |candidate: &mut Candidate| {
            candidate.judge(&Lease { last_vote: None, ..lease(free(Some(other), 0)) });
        };
        candidate.observe((0, 50));
        free(&mut candidate);
        candidate.observe((0, 51));
        candidate.observe((0, 3));
        assert_eq!(candidate.round(), Some((0, 3)));
        assert!(!candidate.observe((0, 4)) && candidate.observe((0, 5)));
        // A count that begins later begins there too, not where the node was before.
        candidate.observe((0, 2));
        candidate.judge(&lease(held(other)));
        free(&mut candidate);
        assert!(!candidate.observe((0, 3)) && candidate.observe((0, 4)));
    }

    #[test]
    fn a_node_that_was_restarted_waits_for_its_own_lease() {
        let (mine, earlier, _) = identities();
        let mut candidate = Candidate::new(mine, Role::Unknown);
        assert_eq!(candidate.judge(&lease(held(earlier))), Standing::AfterItself(earlier));
        for tenure in [free(Some(earlier), 0), free(Some(earlier), LASTS), free(None, 0), free(None, LASTS)] {
            assert_eq!(candidate.judge(&lease(tenure)), Standing::Quiet);
            assert_eq!(candidate.claim(), Claim::Take);
        }
    }
}
