//! What Intel signs: verified when it is submitted, kept as it was read.

use frame_support::{ensure, pallet_prelude::DispatchResult, traits::Get};
use holdfast_evidence::{
    verify_crl, verify_issuer, verify_pck, verify_qe_identity, verify_tcb_info, CertificateKind, Crl, Issuer, Moment,
    Pck, SignedDocument,
};
use sp_io::hashing::blake2_256;

use crate::{
    Anchor, AttestationKeys, CollateralKind, Config, Due, Error, Event, Pallet, PckCa, PckCas, Platform, PlatformId,
    Platforms, QeIdentities, RootCrl, TcbInfos,
};

impl<T: Config> Pallet<T> {
    /// The root, and what it has revoked.
    pub(crate) fn root() -> Result<(Issuer, Crl), Error<T>> {
        let anchor = Anchor::<T>::get().ok_or(Error::<T>::NoTrustAnchor)?;
        let crl = RootCrl::<T>::get().ok_or(Error::<T>::NoRootCrl)?;
        Ok((anchor.root, crl))
    }

    pub(crate) fn store_crl(der: &[u8], ca: Option<&[u8]>) -> DispatchResult {
        // What is already overdue is not worth storing, whatever grace a policy gives.
        let at = Moment::at(Self::now());
        let crl = match ca {
            None => {
                let anchor = Anchor::<T>::get().ok_or(Error::<T>::NoTrustAnchor)?;
                let crl = verify_crl(der, &anchor.root, at).map_err(Error::<T>::from)?;
                ensure!(RootCrl::<T>::get().is_none_or(|before| crl.supersedes(&before)), Error::<T>::NotNewer);
                RootCrl::<T>::put(&crl);
                crl
            }
            Some(certificate) => {
                let (root, root_crl) = Self::root()?;
                let issuer = verify_issuer(CertificateKind::PckCa, certificate, &root, &root_crl, at);
                let issuer = issuer.map_err(Error::<T>::from)?;
                let crl = verify_crl(der, &issuer, at).map_err(Error::<T>::from)?;
                let id = issuer.id();
                let before = PckCas::<T>::get(id);
                ensure!(before.is_none_or(|before| crl.supersedes(&before.crl)), Error::<T>::NotNewer);
                PckCas::<T>::insert(id, PckCa { issuer, crl: crl.clone() });
                crl
            }
        };
        let Crl { issuer_name: issuer, this_update, next_update, revoked, .. } = crl;
        let revoked = revoked.len() as u32;
        Self::deposit_event(Event::CrlStored { issuer, this_update, next_update, revoked });
        Self::judge_all_again();
        Ok(())
    }

    pub(crate) fn store_collateral(kind: CollateralKind, document: &SignedDocument, signer: &[u8]) -> DispatchResult {
        let (root, root_crl) = Self::root()?;
        let at = Moment::at(Self::now());
        let signer = verify_issuer(CertificateKind::TcbSigner, signer, &root, &root_crl, at);
        let signer = signer.map_err(Error::<T>::from)?;
        match kind {
            CollateralKind::TcbInfo => {
                let info = verify_tcb_info(document, &signer, at).map_err(Error::<T>::from)?;
                let key = (info.tee, info.fmspc, info.pce_id);
                ensure!(TcbInfos::<T>::get(key).is_none_or(|before| info.supersedes(&before)), Error::<T>::NotNewer);
                Self::deposit_event(Event::TcbInfoStored {
                    tee: info.tee,
                    fmspc: info.fmspc,
                    pce_id: info.pce_id,
                    evaluation_data_number: info.evaluation_data_number,
                    next_update: info.next_update,
                });
                TcbInfos::<T>::insert(key, info);
            }
            CollateralKind::QeIdentity => {
                let identity = verify_qe_identity(document, &signer, at).map_err(Error::<T>::from)?;
                let before = QeIdentities::<T>::get(identity.tee);
                ensure!(before.is_none_or(|before| identity.supersedes(&before)), Error::<T>::NotNewer);
                Self::deposit_event(Event::QeIdentityStored {
                    tee: identity.tee,
                    evaluation_data_number: identity.evaluation_data_number,
                    next_update: identity.next_update,
                });
                QeIdentities::<T>::insert(identity.tee, identity);
            }
        }
        Self::judge_all_again();
        Ok(())
    }

    pub(crate) fn register(certificate: &[u8]) -> DispatchResult {
        let id = blake2_256(certificate);
        ensure!(!Platforms::<T>::contains_key(id), Error::<T>::AlreadyRegistered);
        let pck = Self::verify_platform(certificate)?;
        let until = Self::keep_platform(id, pck.clone(), 0);
        Self::deposit_event(Event::PlatformRegistered { platform: id, fmspc: pck.platform.fmspc, until });
        Ok(())
    }

    /// Verifies a PCK certificate by whichever CA issued it.
    pub(crate) fn verify_platform(certificate: &[u8]) -> Result<Pck, Error<T>> {
        let at = Moment::at(Self::now());
        let mut refused = Error::<T>::NoPckCrl;
        for PckCa { issuer, crl } in PckCas::<T>::iter_values() {
            match verify_pck(certificate, &issuer, &crl, at).map_err(Error::<T>::from) {
                Ok(pck) => return Ok(pck),
                Err(error) => refused = error,
            }
            // There are few, and only the right one has a signature verified.
            if !matches!(refused, Error::<T>::CertificateIssuer) {
                break;
            }
        }
        Err(refused)
    }

    /// Keeps a platform for its lifetime at least, and until then. Says for how long.
    pub(crate) fn keep_platform(id: PlatformId, pck: Pck, until: u64) -> u64 {
        let until = until.max(Self::now().saturating_add(T::PlatformLifetime::get()));
        match Platforms::<T>::get(id) {
            Some(before) if before.until >= until => return before.until,
            Some(_) => {}
            None => drop(Self::enqueue(until, Due::Platform(id))),
        }
        Platforms::<T>::insert(id, Platform { pck, until });
        until
    }

    /// Keeps an attestation key, and its platform, until then at least.
    pub(crate) fn keep_until(attestation_key: &[u8; 64], until: u64) {
        let Some(mut kept) = AttestationKeys::<T>::get(attestation_key) else { return };
        let id = kept.platform;
        if kept.until < until {
            kept.until = until;
            AttestationKeys::<T>::insert(attestation_key, kept);
        }
        let Some(mut kept) = Platforms::<T>::get(id) else { return };
        if kept.until < until {
            kept.until = until;
            Platforms::<T>::insert(id, kept);
        }
    }
}
