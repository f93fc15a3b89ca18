pushctl explain $COMMAND
pushctl resolve $COMMAND succeeded --note 'the porter saw the door open'
