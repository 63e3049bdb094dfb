"""Pure rules about what there is: devices, deployments by time, organisations, enrolment, permissions."""
