//! What governance says: workloads and devices.

use frame_support::{ensure, pallet_prelude::DispatchResult, traits::Get};
use frame_system::pallet_prelude::BlockNumberFor;
use holdfast_evidence::DeviceKey;

use crate::{
    attest::device_id, Accepts, Config, Device, Devices, Error, Event, Members, NextWorkload, Pallet, Workload,
    WorkloadId, Workloads, MAX_GRACE, MAX_LIFETIME,
};

impl<T: Config> Pallet<T> {
    pub(crate) fn add_workload(workload: Workload<BlockNumberFor<T>>) -> DispatchResult {
        check::<T>(&workload.accepts, workload.lifetime)?;
        ensure!(Workloads::<T>::count() < T::MaxWorkloads::get(), Error::<T>::TooManyWorkloads);
        let id = NextWorkload::<T>::get();
        NextWorkload::<T>::put(id.checked_add(1).ok_or(Error::<T>::TooManyWorkloads)?);
        let (role, active_from) = (workload.role, workload.active_from);
        Workloads::<T>::insert(id, workload);
        Self::deposit_event(Event::WorkloadProposed { workload: id, role, active_from });
        Ok(())
    }

    pub(crate) fn replace_workload(id: WorkloadId, accepts: Accepts, lifetime: u64) -> DispatchResult {
        check::<T>(&accepts, lifetime)?;
        let mut workload = Workloads::<T>::get(id).ok_or(Error::<T>::UnknownWorkload)?;
        ensure!(workload.retired_at.is_none(), Error::<T>::WorkloadRetired);
        (workload.accepts, workload.lifetime) = (accepts, lifetime);
        Workloads::<T>::insert(id, workload);
        Self::deposit_event(Event::WorkloadChanged { workload: id });
        Self::judge_all_again();
        Ok(())
    }

    pub(crate) fn retire(id: WorkloadId, grace: u64) -> DispatchResult {
        ensure!(grace <= MAX_GRACE, Error::<T>::GraceTooLong);
        let mut workload = Workloads::<T>::get(id).ok_or(Error::<T>::UnknownWorkload)?;
        let retired_at = Self::now().saturating_add(grace);
        // It can be hastened, and not put off.
        let retired_at = workload.retired_at.map_or(retired_at, |before| before.min(retired_at));
        workload.retired_at = Some(retired_at);
        Workloads::<T>::insert(id, workload);
        Self::deposit_event(Event::WorkloadRetired { workload: id, retired_at });
        Self::judge_all_again();
        Ok(())
    }

    pub(crate) fn forget_workload(id: WorkloadId) -> DispatchResult {
        let workload = Workloads::<T>::get(id).ok_or(Error::<T>::UnknownWorkload)?;
        ensure!(workload.is_retired(Self::now()), Error::<T>::WorkloadInUse);
        ensure!(Members::<T>::iter_key_prefix(id).next().is_none(), Error::<T>::WorkloadInUse);
        Workloads::<T>::remove(id);
        Self::deposit_event(Event::WorkloadRemoved { workload: id });
        Ok(())
    }

    pub(crate) fn enroll(key: DeviceKey) -> DispatchResult {
        key.check().map_err(Error::<T>::from)?;
        let device = device_id(&key);
        ensure!(!Devices::<T>::contains_key(device), Error::<T>::AlreadyEnrolled);
        ensure!(Devices::<T>::count() < T::MaxDevices::get(), Error::<T>::TooManyDevices);
        Devices::<T>::insert(device, Device { key, subjects: 0 });
        Self::deposit_event(Event::DeviceEnrolled { device });
        Ok(())
    }
}

fn check<T: Config>(accepts: &Accepts, lifetime: u64) -> Result<(), Error<T>> {
    ensure!(accepts.demands_code(), Error::<T>::AnyCode);
    ensure!((1..=MAX_LIFETIME).contains(&lifetime), Error::<T>::Lifetime);
    if let Accepts::Intel(policy) = accepts {
        ensure!(policy.grace <= MAX_GRACE, Error::<T>::GraceTooLong);
    }
    Ok(())
}
