"""Trial-and-error data: episodes on disk, replay on a device, augmentation."""
