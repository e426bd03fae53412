import type { FailureKind } from './kind';

/** What is wrong with the signer of an operator: every document that needs it meets with it. */
export const SIGNER = {
  SignerNotConfigured: {
    scope: 'signer',
    meaning: 'The operator has no signer.',
    remedy:
      'Pair one: republish signer add <operator> --bunker (or --local), or set what the message names, then start again.',
  },
  SignerPubkeyMismatch: {
    scope: 'signer',
    meaning: "The signer's public key is not the account's (or not the expected one).",
    remedy:
      "Compare `republish signer check <operator>` with accounts.pubkey, and with --expected-pubkey where that was given; pair the account's own bunker or correct the account, then start again. It was given no document.",
  },
  SignerUnlockFailed: {
    scope: 'signer',
    meaning: 'The stored signer could not be decrypted.',
    remedy:
      'Use the REPUBLISH_SECRETS_KEY under which the signer was added; if it is lost: republish signer remove <operator>, then add the signer again.',
  },
  SignerUnreadable: {
    scope: 'signer',
    meaning: "What LNbits keeps as the account's signer is no key that can be read.",
    remedy:
      'Check accounts.signer_type, signer_config and prvkey of the operator, or pair a signer here: republish signer add <operator> --bunker.',
  },
  SignerTimeout: {
    scope: 'signer',
    retryable: true,
    slowsDown: true,
    bunkerResult: 'timeout',
    meaning: 'The bunker did not answer within the deadline.',
    remedy:
      'Check that the bunker is running and online (republish signer check <operator>), and whether somebody has to approve in it; then start again. One that has forgotten this client has to be paired again, with a new URI: republish signer add <operator> --bunker.',
  },
  SignerUnreachable: {
    scope: 'signer',
    retryable: true,
    bunkerResult: 'unreachable',
    meaning: "None of the bunker's relays can be reached, or all of them refuse the requests.",
    remedy: "Check the bunker's relays and this host's network, then start again.",
  },
  SignerRefused: {
    scope: 'signer',
    bunkerResult: 'refused',
    meaning: 'The bunker answered the request with an error.',
    remedy: 'Allow nip44_encrypt and sign_event:30078 for this client in the bunker, then start again.',
  },
  SignerBusy: {
    scope: 'signer',
    retryable: true,
    slowsDown: true,
    bunkerResult: 'refused',
    meaning: 'The bunker answered that it is asked for too much, or cannot do it now.',
    remedy:
      'Give it time: a run asks again by itself, more slowly, for as long as a document may wait (REPUBLISH_DOCUMENT_TIMEOUT_MS). Where it ended so, raise the limits of the bunker, or start again.',
  },
  SignerPending: {
    scope: 'signer',
    retryable: true,
    bunkerResult: 'refused',
    needsPerson: true,
    meaning: 'The bunker answered that it is locked, or that a person has to approve there first.',
    remedy:
      'Unlock it, or approve in the bunker itself, then the same again: a run asks by itself every half minute, for as long as a document may wait (REPUBLISH_DOCUMENT_TIMEOUT_MS).',
  },
  SignerApprovalPending: {
    scope: 'signer',
    retryable: true,
    bunkerResult: 'approval_pending',
    needsPerson: true,
    meaning: 'The bunker waits for a person to approve the request.',
    remedy:
      'Open the approval page that the bunker named (republish status <operator>), approve, then start again.',
  },
  SignerReturnedWrongEvent: {
    scope: 'signer',
    bunkerResult: 'refused',
    meaning: 'The bunker returned something other than what it was asked to sign or encrypt.',
    remedy:
      'Do not trust this bunker until it is understood: check its version and which key it holds. This document was not published; start again when the run has ended.',
  },
  SignerChangesEvents: {
    scope: 'signer',
    affectsAll: true,
    meaning: 'The bunker signs with the right key, and changes what it signs: the date, tags or content.',
    remedy:
      'Update the bunker, or pair another one: republish signer add <operator> --bunker; republish signer check <operator> shows whether that one signs what it is given. Nothing of it was published.',
  },
  SignerCannotEncrypt: {
    scope: 'signer',
    meaning: 'What the signer encrypts cannot be read by a machine, or is not the text it was given.',
    remedy:
      'No machine could read what this signer makes. Update the bunker, or pair another one: republish signer add <operator> --bunker. It was given no document.',
  },
} as const satisfies Record<string, FailureKind>;
