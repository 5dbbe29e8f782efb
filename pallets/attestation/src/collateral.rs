//! What Intel signs: verified when it is submitted, kept as it was read.

use frame_support::{
    dispatch::Pays,
    ensure,
    pallet_prelude::{DispatchError, DispatchResult},
    traits::Get,
};
use holdfast_evidence::{
    verify_crl, verify_issuer, verify_pck, verify_qe_identity, verify_tcb_info, CertificateKind, Crl, Issuer, Moment,
    Pck, QeIdentity, SignedDocument, TcbInfo,
};
use sp_io::hashing::blake2_256;

use crate::{
    Anchor, AttestationKeys, CertificationId, CertifiedKey, CollateralKind, Config, Error, Event, Kept, Pallet, PckCa,
    PckCas, Platform, PlatformId, Platforms, QeIdentities, RootCrl, TcbInfos,
};

/// Seconds.
const DAY: u64 = 24 * 60 * 60;

impl<T: Config> Pallet<T> {
    /// The root, and what it has revoked.
    pub(crate) fn root() -> Result<(Issuer, Crl), Error<T>> {
        let anchor = Anchor::<T>::get().ok_or(Error::<T>::NoTrustAnchor)?;
        let crl = RootCrl::<T>::get().ok_or(Error::<T>::NoRootCrl)?;
        Ok((anchor.root, crl))
    }

    pub(crate) fn store_crl(der: &[u8], ca: Option<&[u8]>) -> Result<Pays, DispatchError> {
        // What is already overdue is not worth storing, whatever grace a policy gives.
        let at = Moment::at(Self::now());
        let (crl, before) = match ca {
            None => {
                let anchor = Anchor::<T>::get().ok_or(Error::<T>::NoTrustAnchor)?;
                let crl = verify_crl(der, &anchor.root, at).map_err(Error::<T>::from)?;
                let before = RootCrl::<T>::get();
                ensure!(before.as_ref().is_none_or(|before| crl.supersedes(before)), Error::<T>::NotNewer);
                RootCrl::<T>::put(&crl);
                (crl, before)
            }
            Some(certificate) => {
                let (root, root_crl) = Self::root()?;
                let issuer = verify_issuer(CertificateKind::PckCa, certificate, &root, &root_crl, at);
                let issuer = issuer.map_err(Error::<T>::from)?;
                let crl = verify_crl(der, &issuer, at).map_err(Error::<T>::from)?;
                let id = issuer.id();
                let before = PckCas::<T>::get(id).map(|before| before.crl);
                ensure!(before.as_ref().is_none_or(|before| crl.supersedes(before)), Error::<T>::NotNewer);
                PckCas::<T>::insert(id, PckCa { issuer, crl: crl.clone() });
                (crl, before)
            }
        };
        let Crl { issuer_name: issuer, this_update, next_update, .. } = crl;
        let revoked = crl.revoked.len() as u32;
        Self::deposit_event(Event::CrlStored { issuer, this_update, next_update, revoked });
        let dated = |before: Crl| (before.this_update, Crl { this_update, next_update, ..before } == crl);
        Ok(Self::moved(before.map(dated), this_update))
    }

    /// What follows when something newer took the place of what was of that date, and said the same or not. Intel dates
    /// everything anew all the time: that alone is worth a sweep, and a call for nothing, once a day.
    fn moved(before: Option<(u64, bool)>, issued: u64) -> Pays {
        match before {
            // Nothing can rest on it yet.
            None => Pays::No,
            Some((date, true)) if issued < date.saturating_add(DAY) => Pays::Yes,
            Some(_) => {
                Self::judge_all_again();
                Pays::No
            }
        }
    }

    pub(crate) fn store_collateral(
        kind: CollateralKind,
        document: &SignedDocument,
        signer: &[u8],
    ) -> Result<Pays, DispatchError> {
        let (root, root_crl) = Self::root()?;
        let at = Moment::at(Self::now());
        let signer = verify_issuer(CertificateKind::TcbSigner, signer, &root, &root_crl, at);
        let signer = signer.map_err(Error::<T>::from)?;
        match kind {
            CollateralKind::TcbInfo => {
                let info = verify_tcb_info(document, &signer, at).map_err(Error::<T>::from)?;
                let key = (info.tee, info.fmspc, info.pce_id);
                let before = TcbInfos::<T>::get(key);
                ensure!(before.as_ref().is_none_or(|before| info.supersedes(before)), Error::<T>::NotNewer);
                Self::deposit_event(Event::TcbInfoStored {
                    tee: info.tee,
                    fmspc: info.fmspc,
                    pce_id: info.pce_id,
                    evaluation_data_number: info.evaluation_data_number,
                    next_update: info.next_update,
                });
                let (issued, next_update) = (info.issued, info.next_update);
                let dated = |before: TcbInfo| (before.issued, TcbInfo { issued, next_update, ..before } == info);
                let pays = Self::moved(before.map(dated), issued);
                TcbInfos::<T>::insert(key, info);
                Ok(pays)
            }
            CollateralKind::QeIdentity => {
                let identity = verify_qe_identity(document, &signer, at).map_err(Error::<T>::from)?;
                let before = QeIdentities::<T>::get(identity.tee);
                ensure!(before.as_ref().is_none_or(|before| identity.supersedes(before)), Error::<T>::NotNewer);
                Self::deposit_event(Event::QeIdentityStored {
                    tee: identity.tee,
                    evaluation_data_number: identity.evaluation_data_number,
                    next_update: identity.next_update,
                });
                let (issued, next_update) = (identity.issued, identity.next_update);
                let dated =
                    |before: QeIdentity| (before.issued, QeIdentity { issued, next_update, ..before } == identity);
                let pays = Self::moved(before.map(dated), issued);
                QeIdentities::<T>::insert(identity.tee, identity);
                Ok(pays)
            }
        }
    }

    pub(crate) fn register(certificate: &[u8]) -> DispatchResult {
        let id = blake2_256(certificate);
        ensure!(!Platforms::<T>::contains_key(id), Error::<T>::AlreadyRegistered);
        let pck = Self::verify_platform(certificate, Moment::at(Self::now()))?;
        let fmspc = pck.platform.fmspc;
        let until = Self::keep_platform(id, pck);
        Self::deposit_event(Event::PlatformRegistered { platform: id, fmspc, until });
        Ok(())
    }

    /// Verifies a PCK certificate by whichever CA issued it.
    pub(crate) fn verify_platform(certificate: &[u8], at: Moment) -> Result<Pck, Error<T>> {
        let mut refused = Error::<T>::NoPckCrl;
        // There are few, and only the right one has a signature verified.
        for PckCa { issuer, crl } in PckCas::<T>::iter_values() {
            match verify_pck(certificate, &issuer, &crl, at).map_err(Error::<T>::from) {
                Ok(pck) => return Ok(pck),
                // Of another CA, which says least.
                Err(Error::<T>::CertificateIssuer) if !matches!(refused, Error::<T>::NoPckCrl) => {}
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }

    /// Keeps a platform that is not kept yet, for its lifetime. Says until when.
    pub(crate) fn keep_platform(id: PlatformId, pck: Pck) -> u64 {
        let until = Self::now().saturating_add(T::PlatformLifetime::get());
        Self::shelve(until, Kept::Platform(id));
        Platforms::<T>::insert(id, Platform { pck, until, subjects: 0, certifications: Default::default() });
        until
    }

    /// Keeps an attestation key of a platform that is kept, in the place of its oldest if there are many.
    pub(crate) fn keep_key(id: CertificationId, certified: CertifiedKey) {
        let Some(mut platform) = Platforms::<T>::get(certified.platform) else { return };
        if platform.certifications.is_full() {
            AttestationKeys::<T>::remove(platform.certifications.remove(0));
        }
        if platform.certifications.try_push(id).is_ok() {
            Platforms::<T>::insert(certified.platform, platform);
            AttestationKeys::<T>::insert(id, certified);
        }
    }
}
