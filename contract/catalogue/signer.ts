import { AGAIN, AGAIN_ANEW, type FailureKind } from './kind';

/** The signer of an operator is at fault. Every document that needs this signer fails for it. */
export const SIGNER = {
  SignerNotConfigured: {
    scope: 'signer',
    meaning: 'The operator has no signer.',
    remedy: `Pair one: republish signer add <operator> --bunker (or --local), or set what the message names. Then ${AGAIN}.`,
  },
  SignerPubkeyMismatch: {
    scope: 'signer',
    meaning: "The signer's public key is not the account's public key, or not the expected one.",
    remedy: `Compare "republish signer check <operator>" with accounts.pubkey, and with --expected-pubkey if it was given. If you pair the account's own bunker, then ${AGAIN}. If you correct the account or --expected-pubkey, then ${AGAIN_ANEW}. The signer was given no document.`,
  },
  SignerUnlockFailed: {
    scope: 'signer',
    meaning: 'The stored signer could not be decrypted.',
    remedy:
      'Use the REPUBLISH_SECRETS_KEY with which the signer was added. If it is lost: republish signer remove <operator>, then add the signer again.',
  },
  SignerUnreadable: {
    scope: 'signer',
    meaning: 'LNbits stores a signer for the account, and it cannot be read.',
    remedy:
      'Check accounts.signer_type, signer_config and prvkey of the operator, or pair a signer here: republish signer add <operator> --bunker.',
  },
  SignerTimeout: {
    scope: 'signer',
    retryable: true,
    slowsDown: true,
    bunkerResult: 'timeout',
    meaning: 'The bunker did not answer within the deadline.',
    remedy: `Check that the bunker is running and online (republish signer check <operator>), and whether a person must approve in it. If the bunker has forgotten this client, pair it again with a new URI: republish signer add <operator> --bunker. Then ${AGAIN}.`,
  },
  SignerUnreachable: {
    scope: 'signer',
    retryable: true,
    bunkerResult: 'unreachable',
    meaning: "None of the bunker's relays can be reached, or all of them refuse the requests.",
    remedy: `Check the bunker's relays and this host's network. Then ${AGAIN}.`,
  },
  SignerRefused: {
    scope: 'signer',
    bunkerResult: 'refused',
    meaning: 'The bunker answered the request with an error.',
    remedy: `Allow nip44_encrypt and sign_event:30078 for this client in the bunker. Then ${AGAIN}.`,
  },
  SignerBusy: {
    scope: 'signer',
    retryable: true,
    slowsDown: true,
    letsWait: true,
    bunkerResult: 'refused',
    meaning: 'The bunker answered that it gets too many requests, or that it cannot answer now.',
    remedy: `Wait: the run asks again, more slowly. Documents fail only after REPUBLISH_DOCUMENT_TIMEOUT_MS without any signature in the run. Then raise the limits of the bunker, if you can, and ${AGAIN}.`,
  },
  SignerPending: {
    scope: 'signer',
    retryable: true,
    bunkerResult: 'refused',
    needsPerson: true,
    letsWait: true,
    meaning: 'The bunker answered that it is locked, or that a person must approve there first.',
    remedy: `Unlock the bunker, or approve in it. The run asks again every 30 s. Documents fail only after REPUBLISH_DOCUMENT_TIMEOUT_MS without any signature in the run. Then ${AGAIN}.`,
  },
  SignerApprovalPending: {
    scope: 'signer',
    retryable: true,
    bunkerResult: 'approval_pending',
    needsPerson: true,
    letsWait: true,
    meaning: 'The bunker waits for a person to approve the request.',
    remedy: `Open the approval page of the bunker (republish status <operator> shows it) and approve. If nobody does in time, the run asks again. Documents fail only after REPUBLISH_DOCUMENT_TIMEOUT_MS without any signature in the run. Then ${AGAIN}.`,
  },
  SignerReturnedWrongEvent: {
    scope: 'signer',
    bunkerResult: 'refused',
    meaning: 'The bunker returned another event, or another text, than it was asked for.',
    remedy: `Do not trust this bunker until you know the reason: check its version and its keys. This document was not published. When the bunker is in order: ${AGAIN_ANEW}.`,
  },
  SignerChangesEvents: {
    scope: 'signer',
    affectsAll: true,
    meaning: 'The bunker signs with the right key, but it changes the event: its date, tags or content.',
    remedy:
      'Update the bunker, or pair another one: republish signer add <operator> --bunker. Then republish signer check <operator> shows whether it signs without a change. None of these events was published.',
  },
  SignerCannotEncrypt: {
    scope: 'signer',
    meaning:
      'The signer encrypts in a way that no machine can decrypt, or it encrypts another text than it was given.',
    remedy:
      'Update the bunker, or pair another one: republish signer add <operator> --bunker. The signer was given no document.',
  },
} as const satisfies Record<string, FailureKind>;
