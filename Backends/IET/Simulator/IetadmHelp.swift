extension IetadmOptions {
  /// What `ietadm --help` prints.
  static let help = """
    Usage: ietadm [OPTION]
    iSCSI Enterprise Target Administration Utility.

      --op new --tid=[id] --params Name=[name]
                            add a new target with [id]. [id] must not be zero.
      --op delete --tid=[id]
                            delete specific target with [id]. The target must
                            have no active sessions.
      --op show --tid=[id]
                            show target parameters of target with [id].
      --op show --tid=[id] --sid=[sid]
                            show iSCSI parameters in effect for session [sid]. If
                            [sid] is "0" (zero), the configured parameters
                            will be displayed.
      --op show --tid=[id] --user
                            show list of Discovery (--tid omitted / id=0 (zero))
                            or target CHAP accounts.
      --op show --tid=[id] --user --params=[user]=[name]
                            show CHAP account information. [user] can be
                            "IncomingUser" or "OutgoingUser". If --tid is
                            omitted / id=0 (zero), [user] is treated as Discovery
                            user.
      --op new --tid=[id] --lun=[lun] --params Path=[path]
                            add a new logical unit with [lun] to specific
                            target with [id]. The logical unit is offered
                            to the initiators. [path] must be block device files
                            (including LVM and RAID devices) or regular files.
      --op delete --tid=[id] --lun=[lun]
                            delete specific logical unit with [lun] that
                            the target with [id] has.
      --op delete --tid=[id] --sid=[sid] --cid=[cid]
                            delete specific connection with [cid] in a session
                            with [sid] that the target with [id] has.
                            If the session has no connections after
                            the operation, the session will be deleted
                            automatically.
      --op delete           stop all activity.
      --op update --tid=[id] --params=key1=value1,key2=value2,...
                            change iSCSI IET target parameters of specific
                            target with [id]. You can use parameters in ietd.conf
                            as a key.
      --op new --tid=[id] --user --params=[user]=[name],Password=[pass]
                            add a new account with [pass] for specific target.
                            [user] could be [IncomingUser] or [OutgoingUser].
                            If you don't specify a target (omit --tid option),
                            you add a new account for discovery sessions.
      --op delete --tid=[id] --user --params=[user]=[name]
                            delete specific account having [name] of specific
                            target. [user] could be [IncomingUser] or
                            [OutgoingUser].
                            If you don't specify a target (omit --tid option),
                            you delete the account for discovery sessions.
      --version             display version and exit
      --help                display this help and exit

    Report bugs to <iscsitarget-devel@sourceforge.net>.

    """
}
